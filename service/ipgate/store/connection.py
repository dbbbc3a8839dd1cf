"""The connection to Redis or Valkey, and what its server must be like."""

import logging
from typing import Any

from redis import exceptions as errors
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ipgate.domain.errors import Unavailable

log = logging.getLogger(__name__)

SOCKET_TIMEOUT = 5.0
CONNECT_TIMEOUT = 2.0
_OLDEST = {"redis": (7, 0), "valkey": (8, 0)}
_NOT_NOW = ("MISCONF", "BUSY", "NOREPLICAS", "UNBLOCKED", "NOAUTH", "OOM", "READONLY")
_REFUSALS = (
    errors.OutOfMemoryError,
    errors.ReadOnlyError,
    errors.NoPermissionError,
    errors.AuthenticationError,
    errors.BusyLoadingError,
    errors.ClusterDownError,
    errors.MasterDownError,
    errors.TryAgainError,
)
"""The server's answer that it does not do the command; redis-py strips the code of these."""

_UNSENT = (" connecting to ", "No connection available")
"""In the message of a failure that came before the command was sent."""


class UnusableStore(Exception):
    """The store cannot be used as it is set up; the message says why and what to do."""


def connect(url: str, *, connections: int, socket_timeout: float = SOCKET_TIMEOUT) -> "Redis":
    """A client for `redis://`, `rediss://` or `unix://` with at most so many connections; a command
    waits for one. Nothing is retried: a change that was sent once may have been made.

    Raises UnusableStore if the URL is not one.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=socket_timeout,
            decode_responses=True,
            socket_timeout=socket_timeout,
            socket_connect_timeout=CONNECT_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            client_name="ipgate",
            protocol=2,
        )
    except (ValueError, TypeError) as fault:
        # redis-py's message may quote the URL, and with it a password.
        text = "the store's URL is not valid; use redis://, rediss:// or unix://"
        raise UnusableStore(text) from fault
    return Redis.from_pool(pool)


async def check_server(redis: "Redis", *, allow_eviction: bool) -> None:
    """Refuses a server that is too old or may evict keys. Raises UnusableStore."""
    try:
        info: dict[str, Any] = await redis.info("server")
        memory: dict[str, Any] = await redis.info("memory")
    except errors.AuthenticationError:
        raise UnusableStore("the store refuses the user or password of its URL") from None
    except errors.NoPermissionError as fault:
        text = "the store's user may not call INFO; grant it: ACL SETUSER <user> +info"
        raise UnusableStore(text) from fault
    except errors.RedisError as fault:
        raise UnusableStore(f"the store cannot be reached: {cause(fault)}") from fault
    kind = "valkey" if "valkey_version" in info else "redis"
    version = str(info[f"{kind}_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST[kind]:
        oldest = ".".join(map(str, _OLDEST[kind]))
        raise UnusableStore(f"the store is {kind} {version}; ipgate needs {kind} {oldest} or later")
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and not allow_eviction:
        raise UnusableStore(
            f"the store may evict keys (maxmemory-policy {policy}), and with them allow lists; "
            "set it to noeviction, or start with --allow-eviction to accept the loss"
        )


def unavailable(fault: Exception, *, writing: bool) -> Unavailable:
    """What a caller is told of a failed command. Raises `fault` if it is not the store's state."""
    refused = isinstance(fault, _REFUSALS) or str(fault).startswith(_NOT_NOW)
    if isinstance(fault, errors.ResponseError) and not refused:
        raise fault
    log.warning("store: %s", cause(fault))
    if writing and not refused and not any(each in str(fault) for each in _UNSENT):
        return Unavailable(
            "the store did not confirm the change, which may or may not have been made; "
            "read the resource before you try again",
            reason="OUTCOME_UNKNOWN",
        )
    return Unavailable("the store cannot be used now; nothing was changed; try again")


def cause(fault: BaseException) -> str:
    """A fault in one line for logs and start-up errors."""
    return f"{type(fault).__name__}: {str(fault) or 'no details'}".replace("\n", " ")
