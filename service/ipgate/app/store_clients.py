"""The connections of a worker to the store."""

from dataclasses import dataclass

from ipgate.app.worker_config import WorkerConfig
from ipgate.authorizer.loader import MAX_READS, MAX_TOKEN_READS
from ipgate.domain.shards import SHARDS
from ipgate.store import feed
from ipgate.store.connection import connect
from ipgate.store.topology import Store

_ADMIN_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class StoreClients:
    """StoreClients of the store for changes, for policies and for the feed.

    They are separate, so that neither many changes nor many unknown keys delay the others.
    """

    admin: Store
    policy: Store
    feed: Store

    @classmethod
    def connect(cls, config: WorkerConfig) -> "StoreClients":
        url, file = config.store_url, config.settings.redis_password_file
        reads = MAX_READS + MAX_TOKEN_READS
        return cls(
            connect(url, connections=_ADMIN_CONNECTIONS, password_file=file),
            connect(url, connections=reads, password_file=file),
            connect(
                url, connections=SHARDS, socket_timeout=feed.SOCKET_TIMEOUT, password_file=file
            ),
        )

    async def close(self) -> None:
        for client in (self.admin, self.policy, self.feed):
            await client.aclose()
