"""The connection to Redis or Valkey, and what its server must be like."""

import logging
from typing import Any

from redis import exceptions as errors
from redis.asyncio import RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError
from redis.backoff import NoBackoff

from ipgate.domain.errors import Unavailable
from ipgate.store.topology import Store, open_store

log = logging.getLogger(__name__)

SOCKET_TIMEOUT = 5.0
CONNECT_TIMEOUT = 2.0
_OLDEST = {"redis": (7, 0), "valkey": (8, 0)}
_NOT_NOW = ("MISCONF", "BUSY", "NOREPLICAS", "UNBLOCKED", "NOAUTH", "OOM", "READONLY")
_SLOT_MOVES = "non local key"
"""In the message of a script that met a slot which is being moved; prelude.lua sees to it that none
has written anything then."""
_REFUSALS = (
    errors.OutOfMemoryError,
    errors.ReadOnlyError,
    errors.NoPermissionError,
    errors.AuthenticationError,
    errors.BusyLoadingError,
    errors.ClusterDownError,
    errors.MasterDownError,
    errors.TryAgainError,
    errors.AskError,
    errors.MovedError,
    errors.SlotNotCoveredError,
    errors.MaxConnectionsError,
)
"""The server's answer that it does not do the command; redis-py strips the code of these."""

_UNSENT = (" connecting to ", "No connection available", "No master found", "previous master")
"""In the message of a failure that came before the command was sent."""


class UnusableStore(Exception):
    """The store cannot be used as it is set up; the message says why and what to do."""


def connect(url: str, *, connections: int, socket_timeout: float = SOCKET_TIMEOUT) -> Store:
    """A client for the store of a URL with at most so many connections to a server; a command waits
    for one. Nothing is retried: a change that was sent once may have been made.

    Raises UnusableStore if the URL is not one.
    """
    try:
        return open_store(
            url,
            pool={"max_connections": connections, "timeout": socket_timeout},
            connection={
                "decode_responses": True,
                "socket_timeout": socket_timeout,
                "socket_connect_timeout": CONNECT_TIMEOUT,
                "retry": Retry(NoBackoff(), 0),
                "client_name": "ipgate",
                "protocol": 2,
            },
        )
    except (ValueError, TypeError, errors.RedisError) as fault:
        # redis-py's message may quote the URL, and with it a password.
        raise UnusableStore(
            "the store's URL is not valid; use redis://, rediss://, unix://, "
            "redis+sentinel://HOST,HOST/SERVICE or redis+cluster://HOST,HOST"
        ) from fault


async def check_server(store: Store, *, allow_eviction: bool) -> None:
    """Refuses servers that are too old or may evict keys. Raises UnusableStore."""
    try:
        infos = await _infos(store)
    except errors.AuthenticationError:
        raise UnusableStore("the store refuses the user or password of its URL") from None
    except errors.NoPermissionError as fault:
        text = "the store's user may not call INFO; grant it: ACL SETUSER <user> +info"
        raise UnusableStore(text) from fault
    except errors.RedisError as fault:
        raise UnusableStore(f"the store cannot be reached: {cause(fault)}") from fault
    except errors.RedisClusterException as fault:
        raise UnusableStore(f"the cluster cannot be used: {cause(fault)}") from fault
    for info in infos:
        _check_server(info, allow_eviction=allow_eviction)


async def _infos(store: Store) -> list[dict[str, Any]]:
    """INFO of the primaries."""
    if isinstance(store, RedisCluster):
        await store.initialize()
        nodes = store.get_primaries()
        return [await store.info("server", "memory", target_nodes=node) for node in nodes]
    return [await store.info("server", "memory")]


def _check_server(info: dict[str, Any], *, allow_eviction: bool) -> None:
    kind = "valkey" if "valkey_version" in info else "redis"
    version = str(info[f"{kind}_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST[kind]:
        oldest = ".".join(map(str, _OLDEST[kind]))
        raise UnusableStore(f"the store is {kind} {version}; ipgate needs {kind} {oldest} or later")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and not allow_eviction:
        raise UnusableStore(
            f"the store may evict keys (maxmemory-policy {policy}), and with them allow lists; "
            "set it to noeviction, or start with --allow-eviction to accept the loss"
        )


def unavailable(fault: Exception, *, writing: bool) -> Unavailable:
    """What a caller is told of a failed command. Raises `fault` if it is not the store's state."""
    refused = (
        isinstance(fault, _REFUSALS) or str(fault).startswith(_NOT_NOW) or _SLOT_MOVES in str(fault)
    )
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
    if isinstance(fault, MasterNotFoundError):
        return "no sentinel that can be reached knows a primary of that service"
    return f"{type(fault).__name__}: {str(fault) or 'no details'}".replace("\n", " ")
