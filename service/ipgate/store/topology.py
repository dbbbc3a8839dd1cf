"""Where the primary is: one server, a group watched by Redis Sentinel, or a Redis Cluster."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.credentials import CredentialProvider
from redis.exceptions import RedisClusterException, RedisError

Store = Redis | RedisCluster

FAULTS = (RedisError, RedisClusterException, OSError)
"""What the clients raise."""

_SENTINEL_PORT = 26379
_CLUSTER_PORT = 6379
_SENTINEL = "sentinel_"
_MAX_PASSWORD_BYTES = 4096


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Finds the primary through the sentinels whenever it connects; a command waits for a connection."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The content of a URL with several hosts.

    `options` are of a connection to a data node, `sentinel_options` of one to a sentinel: the parameters of the
    query that begin with `sentinel_`.
    """

    hosts: list[tuple[str, int]]
    service: str
    tls: bool
    options: dict[str, Any]
    sentinel_options: dict[str, Any]


class UnencodedPassword(ValueError):
    """A URL with a password that must be percent-encoded; the message shows nothing of it."""


class FilePassword(CredentialProvider):
    """The user of a URL, and the password that a file has when a connection is made."""

    def __init__(self, user: str, file: str) -> None:
        self._user = user
        self._file = Path(file)

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return the user and the password of the file, for each new connection.

        Raises: OSError if the file cannot be read.
        """
        with self._file.open("rb") as source:
            password = source.read(_MAX_PASSWORD_BYTES).decode().rstrip("\r\n")
        return (self._user, password) if self._user else (password,)


def open_store(
    url: str, *, pool: dict[str, Any], connection: dict[str, Any], password_file: str = ""
) -> Store:
    """Return a client for the store of a URL.

    `pool`: `max_connections` and `timeout`, `connection`: options of every connection.

    Raises: ValueError or TypeError for a malformed URL.
    """
    _check_encoding(url)
    if password_file:
        url, user = _without_credentials(url)
        connection = connection | {"credential_provider": FilePassword(user, password_file)}
    match urlsplit(url).scheme:
        case "redis+sentinel" | "rediss+sentinel":
            group = _group(url, _SENTINEL_PORT)
            _check_options(group, connection)
            if not group.service:
                raise ValueError("no service name")
            sentinel = Sentinel(  # type: ignore[no-untyped-call]
                group.hosts,
                sentinel_kwargs=_of_sockets(connection) | group.sentinel_options,
                **connection,
            )
            return Redis.from_pool(
                _SentinelPool(  # type: ignore[no-untyped-call]
                    group.service, sentinel, ssl=group.tls, **pool, **connection | group.options
                )
            )
        case "redis+cluster" | "rediss+cluster":
            group = _group(url, _CLUSTER_PORT)
            _check_options(group, connection)
            return RedisCluster(
                startup_nodes=[ClusterNode(host, port) for host, port in group.hosts],
                # redis-py notes a moved slot automatically; this would close all connections.
                reinitialize_steps=0,
                ssl=group.tls,
                max_connections=pool["max_connections"],
                **connection | group.options,
            )
    pooled = BlockingConnectionPool.from_url(url, **pool, **connection)
    pooled.connection_class(**pooled.connection_kwargs)  # knows its options only now
    return Redis.from_pool(pooled)


def _check_encoding(url: str) -> None:
    """Check that no part of a password is taken for a host, a port or a path, which errors show.

    Raises: UnencodedPassword.
    """
    _, _, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :].partition("?")[0] or ("@" in rest and "@" not in authority):
        raise UnencodedPassword(
            "the store's URL has an '@' after a '/', '?' or '#'; percent-encode the user and password: "
            "%2F for '/', %3F for '?', %23 for '#', %40 for '@', %25 for '%'"
        )


def _without_credentials(url: str) -> tuple[str, str]:
    """Return the URL without user and password, and the user."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    if password:
        raise UnencodedPassword(
            "the store's URL has a password, and so has --redis-password-file; give one of them"
        )
    return urlunsplit(parts._replace(netloc=hosts)), unquote(user)


def primary_of(cluster: RedisCluster, key: str) -> ClusterNode:
    """Return the primary that holds a key, as far as is known.

    Raises what redis-py raises.
    """
    node = cluster.get_node_from_key(key)
    assert node is not None  # only a replica may be missing
    return node


def _check_options(group: "_Group", connection: dict[str, Any]) -> None:
    """Check the options of a connection.

    Raises: TypeError for an option that no connection has.
    """
    kind = SSLConnection if group.tls else Connection
    kind(**connection | group.options)


def _group(url: str, port: int) -> _Group:
    """Parse `scheme://[user:password@]host[:port],host[:port]…[/service][?option=…]`."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    query = parse_qsl(parts.query)
    plain = urlencode([(name, value) for name, value in query if not name.startswith(_SENTINEL)])
    # redis-py reads user, password and query, with the types that the options have.
    at = f"{credentials}@" if credentials else ""
    options: dict[str, Any] = dict(parse_url(f"rediss://{at}host?{plain}"))
    options.pop("host")
    options.pop("connection_class")
    return _Group(
        hosts=[_host(host, port) for host in hosts.split(",")],
        service=unquote(parts.path.strip("/")),
        tls=parts.scheme.startswith("rediss"),
        options=options,
        sentinel_options={
            name.removeprefix(_SENTINEL): value
            for name, value in query
            if name.startswith(_SENTINEL)
        },
    )


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or port


def _of_sockets(connection: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in connection.items() if name.startswith("socket_")}
