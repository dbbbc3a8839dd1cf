"""The connection to Redis or Valkey, and what its server must be like."""

import logging
import math
from typing import Any

from redis import exceptions as errors
from redis.asyncio import RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError
from redis.backoff import NoBackoff

from ipgate.domain.errors import Unavailable
from ipgate.store.store_clock import WRITE_WINDOW
from ipgate.store.topology import FAULTS, Store, UnencodedPassword, open_store

log = logging.getLogger(__name__)

SOCKET_TIMEOUT = 5.0
CONNECT_TIMEOUT = 2.0
_OLDEST = {"redis": (7, 0), "valkey": (8, 0)}
_NOT_NOW = ("MISCONF", "BUSY", "NOREPLICAS", "UNBLOCKED", "NOAUTH", "OOM", "READONLY")
TOO_LATE = "TOO_LATE"
"""What a script answers that arrives after its deadline; it has written nothing then."""

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


class StoreNotReady(UnusableStore):
    """The store cannot be used yet or for the moment: it is starting, busy, or out of reach."""


_PASSING = (
    errors.ConnectionError,  # BusyLoadingError is one
    errors.TimeoutError,
    errors.RedisClusterException,
    errors.ClusterDownError,
    errors.MasterDownError,
    errors.ReadOnlyError,
    errors.TryAgainError,
    OSError,
)


def connect(
    url: str,
    *,
    connections: int,
    socket_timeout: float = SOCKET_TIMEOUT,
    password_file: str = "",
) -> Store:
    """Return a client for the store of a URL, with a maximum of connections to each server.

    A command waits for a connection. Nothing is retried, because a change that was sent may have been made. With
    a `password_file` each new connection reads its password from there.

    Raises: UnusableStore if the URL is not one.
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
                # Else each new connection looks its version up on the disk, which takes a millisecond.
                "driver_info": None,
                "protocol": 2,
            },
            password_file=password_file,
        )
    except UnencodedPassword as error:
        raise UnusableStore(str(error)) from None
    except (ValueError, TypeError, errors.RedisError):
        # redis-py's message may quote the URL, and with it a password.
        raise UnusableStore(
            "the store's URL is not valid; use redis://, rediss://, unix://, "
            "redis+sentinel://HOST,HOST/SERVICE or redis+cluster://HOST,HOST, with options that redis-py has"
        ) from None


async def check_server(store: Store, *, allow_eviction: bool) -> None:
    """Reject servers that are too old or may evict keys.

    Raises: StoreNotReady for a state that may pass, and UnusableStore.
    """
    try:
        infos = await _infos(store)
    except FAULTS as error:
        raise unusable(error) from error
    for info in infos:
        try:
            _check_server(info, allow_eviction=allow_eviction)
        except (KeyError, ValueError) as error:
            raise StoreNotReady("the store does not say which version it is") from error


async def evicting_policies(store: Store) -> list[str]:
    """Return the policies of servers that may evict keys of ipgate.

    Raises redis's errors.
    """
    return sorted({policy for info in await _infos(store) if _evicts(policy := _policy(info))})


async def memory_of(store: Store) -> tuple[int, int]:
    """Return the bytes in use of the primary that is nearest to its limit, and that limit; 0 for none.

    Raises redis's errors.
    """
    used = [(int(info["used_memory"]), int(info["maxmemory"])) for info in await _infos(store)]
    return max(used, key=lambda pair: pair[0] / (pair[1] or float("inf")))


async def run_ids(store: Store) -> set[str]:
    """Return a name for each run of each primary: it changes when one restarts or is replaced.

    Raises redis's errors.
    """
    return {str(info["run_id"]) for info in await _infos(store)}


def _policy(info: dict[str, Any]) -> str:
    return str(info.get("maxmemory_policy", "noeviction"))


def _evicts(policy: str) -> bool:
    # Nothing of ipgate's has a time to live, which is what volatile policies look for.
    return policy != "noeviction" and not policy.startswith("volatile-")


def unusable(error: Exception) -> UnusableStore:
    """Return what a failed command at the start means for the operator."""
    if isinstance(error, errors.AuthenticationError):
        return UnusableStore("the store rejects the user or password of its URL")
    if isinstance(error, errors.NoPermissionError):
        return UnusableStore(
            f"the store's user lacks a permission; grant what docs/security.md lists: {cause(error)}"
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UnusableStore(
            f"the store's certificate is not trusted; give ?ssl_ca_certs=FILE in its URL: {cause(error)}"
        )
    if isinstance(error, errors.MovedError):
        return UnusableStore(
            "the store is a Redis Cluster; use redis+cluster://HOST,HOST instead of redis://HOST"
        )
    if isinstance(error, _PASSING) or str(error).startswith(_NOT_NOW):
        return StoreNotReady(f"the store cannot be used now: {cause(error)}")
    return UnusableStore(f"the store rejects what ipgate needs: {cause(error)}")


def misconfigured(error: Exception) -> UnusableStore | None:
    """Return what the operator must change if waiting cannot help after `error`, else None."""
    cause = error.__cause__
    return unusable(cause) if isinstance(cause, errors.MovedError) else None


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
    policy = _policy(info)
    if _evicts(policy) and not allow_eviction:
        raise UnusableStore(
            f"the store may evict keys (maxmemory-policy {policy}), and with them allow lists; "
            "set it to noeviction, or start with --allow-eviction to accept the loss"
        )


class Failures:
    """The commands of this process that its stores did not carry out."""

    def __init__(self) -> None:
        self.count = 0


FAILURES = Failures()


def unavailable(
    error: Exception, *, writing: bool, settled_after: float = WRITE_WINDOW
) -> Unavailable:
    """Return the error that a caller gets for a failed command.

    `settled_after`: seconds after which a change that was sent cannot be made any more. Raises `error` if it
    is not the store's state.
    """
    if str(error).startswith(TOO_LATE):
        return Unavailable("the change reached the store too late and was not made; try again")
    rejected = (
        isinstance(error, _REFUSALS) or str(error).startswith(_NOT_NOW) or _SLOT_MOVES in str(error)
    )
    if isinstance(error, errors.ResponseError) and not rejected:
        raise error
    FAILURES.count += 1
    log.warning("store command failed error=%r", cause(error))
    if writing and not rejected and not any(text in str(error) for text in _UNSENT):
        left = math.ceil(max(settled_after, 0) * 1000)
        return Unavailable(
            "the store did not confirm the change, which may or may not have been made; it is not made "
            f"any more in {left} ms: read the resource then, before you try again",
            reason="OUTCOME_UNKNOWN",
            settled_after_ms=str(left),
        )
    return Unavailable("the store cannot be used now; nothing was changed; try again")


def cause(error: BaseException) -> str:
    """Return an error in one line, for logs and start-up errors."""
    if isinstance(error, MasterNotFoundError):
        return "no sentinel that can be reached knows a primary of that service"
    return f"{type(error).__name__}: {str(error) or 'no details'}".replace("\n", " ")
