"""Where the primary is: one server, a group watched by Redis Sentinel, or a Redis Cluster."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import RedisClusterException, RedisError

Store = Redis | RedisCluster

FAULTS = (RedisError, RedisClusterException, OSError)
"""What the clients raise."""

_SENTINEL_PORT = 26379
_CLUSTER_PORT = 6379
_SENTINEL = "sentinel_"


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Finds the primary through the sentinels whenever it connects; a command waits for a
    connection."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What a URL with several hosts says: `options` of a connection to a data node, and of one to a
    sentinel; these are parameters of the query that begin with `sentinel_`."""

    hosts: list[tuple[str, int]]
    service: str
    tls: bool
    options: dict[str, Any]
    sentinel_options: dict[str, Any]


def open_store(url: str, *, pool: dict[str, Any], connection: dict[str, Any]) -> Store:
    """A client for the store of a URL. `pool`: `max_connections` and `timeout`, `connection`:
    options of every connection. Raises ValueError for a URL that is none."""
    match urlsplit(url).scheme:
        case "redis+sentinel" | "rediss+sentinel":
            group = _group(url, _SENTINEL_PORT)
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
            return RedisCluster(
                startup_nodes=[ClusterNode(host, port) for host, port in group.hosts],
                # A slot that moved is noted by itself; this would close all connections.
                reinitialize_steps=0,
                ssl=group.tls,
                max_connections=pool["max_connections"],
                **connection | group.options,
            )
    return Redis.from_pool(BlockingConnectionPool.from_url(url, **pool, **connection))


def primary_of(cluster: RedisCluster, key: str) -> ClusterNode:
    """The primary that holds a key, as far as is known. Raises what redis-py raises."""
    node = cluster.get_node_from_key(key)
    assert node is not None  # only a replica may be missing
    return node


def _group(url: str, port: int) -> _Group:
    """Takes `scheme://[user:password@]host[:port],host[:port]…[/service][?option=…]` apart."""
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
        hosts=[_host(each, port) for each in hosts.split(",")],
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
