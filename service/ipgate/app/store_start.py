"""What the supervisor does with the store before any worker starts."""

import asyncio
import logging

from ipgate.app.root_token import shared_root
from ipgate.clock import Clock
from ipgate.domain.errors import Unavailable
from ipgate.settings import Settings
from ipgate.store.connection import (
    StoreNotReady,
    check_server,
    connect,
    misconfigured,
    unusable,
)
from ipgate.store.root import RootStore
from ipgate.store.scripts import Scripts
from ipgate.store.topology import FAULTS, Store
from ipgate.store.upgrade import upgrade

log = logging.getLogger(__name__)

_POLL = 0.2


def connection(url: str, settings: Settings) -> Store:
    """Return a client for single commands of the supervisor.

    Raises: UnusableStore.
    """
    return connect(url, connections=1, password_file=settings.redis_password_file)


async def prepare(
    url: str, settings: Settings, configured: tuple[bytes, str] | None
) -> tuple[bytes, str]:
    """Check and set up the store, waiting for one that is not ready.

    Returns the digest of the root token of this server, b"" where the store's holds, and where the token is;
    `configured` is one that was set.

    Raises: UnusableStore and BadSetting.
    """
    time = asyncio.get_running_loop().time
    deadline = time() + settings.store_timeout
    redis = connection(url, settings)
    waiting = False
    try:
        while True:
            try:
                await check_server(redis, allow_eviction=settings.allow_eviction)
                scripts = Scripts(redis, Clock())
                await upgrade(scripts)
                await scripts.initialize()
                file = settings.data_dir / "root-token"
                return configured or await shared_root(RootStore(scripts), file)
            except (StoreNotReady, Unavailable) as error:
                if (lasting := misconfigured(error)) is not None:
                    raise lasting from error
                if time() > deadline:
                    text = f"{error} (waited {settings.store_timeout:g} s, --store-timeout)"
                    raise StoreNotReady(text) from error
                if not waiting:
                    log.warning("waiting for the store reason=%r", str(error))
                waiting = True
                await asyncio.sleep(_POLL)
            except FAULTS as error:
                raise unusable(error) from error
    finally:
        await redis.aclose()
