"""Opens the store for a command that works on it directly: one at a URL, or the embedded one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ipgate.store.batch_reader import MAX_CONNECTIONS
from ipgate.store.connection import UnusableStore, check_server, connect
from ipgate.store.embedded import EmbeddedStore
from ipgate.store.topology import FAULTS, Store


@asynccontextmanager
async def open_for_command(
    redis_url: str,
    data_dir: Path,
    *,
    password_file: str = "",
    store_binary: str = "",
    create: bool = False,
) -> AsyncIterator[Store]:
    """Yield the store at `redis_url`; for "", the embedded store of `data_dir`.

    The embedded store is started if no server runs there. With `create` it need not exist before.

    Raises:
        UnusableStore: it does not exist, does not answer, or is too old.
    """
    if redis_url:
        async with _connected(redis_url, password_file) as redis:
            yield redis
        return
    directory = data_dir / "store"
    if not create and not directory.is_dir():
        text = f"there is no store under {data_dir}; give --redis-url or another --data-dir"
        raise UnusableStore(text)
    embedded = EmbeddedStore(directory, store_binary)
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
    redis = connect(url, connections=2 * MAX_CONNECTIONS, password_file=password_file)
    try:
        # The servers check for eviction, not the commands.
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
