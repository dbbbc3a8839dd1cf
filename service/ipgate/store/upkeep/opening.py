"""The store that a command works on: one at a URL, or the embedded one under a data directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ipgate.store.connection import UnusableStore, check_server, connect
from ipgate.store.embedded import EmbeddedStore
from ipgate.store.topology import FAULTS, Store
from ipgate.store.upkeep.reading import CONNECTIONS


@asynccontextmanager
async def opened(
    redis_url: str, data_dir: Path, *, password_file: str = "", create: bool = False
) -> AsyncIterator[Store]:
    """The store at `redis_url`; without one, the embedded store of `data_dir`, which is started for
    the time if no server runs there, and made if it is not there and `create` says so.

    Raises UnusableStore.
    """
    if redis_url:
        async with _connected(redis_url, password_file) as redis:
            yield redis
        return
    directory = data_dir / "store"
    if not create and not directory.is_dir():
        text = f"there is no store under {data_dir}; give --redis-url or another --data-dir"
        raise UnusableStore(text)
    embedded = EmbeddedStore(directory)
    if await _answers(embedded.url):
        async with _connected(embedded.url) as redis:
            yield redis
        return
    try:
        await embedded.start()
        async with _connected(embedded.url) as redis:
            yield redis
    finally:
        await embedded.stop()


@asynccontextmanager
async def _connected(url: str, password_file: str = "") -> AsyncIterator[Store]:
    redis = connect(url, connections=2 * CONNECTIONS, password_file=password_file)
    try:
        # What may be evicted is not decided here: the servers refuse it.
        await check_server(redis, allow_eviction=True)
        yield redis
    finally:
        await redis.aclose()


async def _answers(url: str) -> bool:
    redis = connect(url, connections=1)
    try:
        await redis.ping()
        return True
    except FAULTS:
        return False
    finally:
        await redis.aclose()
