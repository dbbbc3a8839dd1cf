"""How long a server takes to upgrade a store of schema 1, and what that holds the store up.

`make bench ARGS=upgrade`, or `ARGS='upgrade 100000'` for another number of keys.
"""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ipgate.clock import Clock
from ipgate.domain.shards import SHARDS, shard_of
from ipgate.store.connection import connect
from ipgate.store.key_names import meta, shard_prefix
from ipgate.store.scripts import Scripts
from ipgate.store.upgrade import upgrade
from rich.console import Console

from bench.figures import Figure
from bench.scale_data import credential
from tests.harness.stores import EMBEDDED, StoreServer

_WORKSPACES = 100
_MOST_RANGES = 100_000
"""Of one list; all others have few."""

_TIP = "0123456789abcdef"
_STAMPS = ("created", "1", "updated", "2", "etag", _TIP, "rev", "1")
_SLOW = 1000
"""Microseconds from which on the store notes a command."""

_Command = tuple[Any, ...]
T = TypeVar("T")


def measure(keys: int) -> list[Figure]:
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as directory:
        options = ("--slowlog-log-slower-than", str(_SLOW), "--slowlog-max-len", "10000")
        store = StoreServer(Path(directory) / "s", *options, program=EMBEDDED).start()
        try:
            with store.client() as client:
                for part in _parts(_commands(keys), 10_000):
                    pipe = client.pipeline(transaction=False)
                    for command in part:
                        pipe.execute_command(*command)
                    pipe.execute()
                client.slowlog_reset()
                console.log(f"wrote a store of schema 1 with {keys:,} keys")
                began = time.perf_counter()
                asyncio.run(_upgrade(store.url))
                took = time.perf_counter() - began
                slow = [entry["duration"] for entry in client.slowlog_get(10_000)]
        finally:
            store.stop()
    return [
        Figure(f"upgrade of {keys:,} keys from schema 1", took, "s"),
        Figure("upgrade, longest command of the store", max(slow, default=_SLOW) / 1000, "ms"),
    ]


async def _upgrade(url: str) -> None:
    redis = connect(url, connections=8)
    try:
        await upgrade(Scripts(redis, Clock()))
    finally:
        await redis.aclose()


def _commands(keys: int) -> Iterator[_Command]:
    """The store of schema 1: workspaces with a list each, which all their keys are linked to."""
    names = [f"w{index:02}" for index in range(_WORKSPACES)]
    for shard in range(SHARDS):
        fields: tuple[str, ...] = ("schema", "1", "epoch", "a" * 16, "rev", "1", "tip", _TIP)
        yield "HSET", meta(shard), *fields
    for index, name in enumerate(names):
        own = f"{shard_prefix(shard_of(name))}ws:{name}"
        fields = ("display_name", name, "require", "0", "default_on", "0", "default", "")
        yield "HSET", own, *fields, *_STAMPS
        yield "ZADD", f"{shard_prefix(shard_of(name))}workspaces", 0, name
        count = _MOST_RANGES if not index else 20
        fields = ("display_name", "L", "folded", "l", "description", "d", "span", str(count))
        yield "HSET", f"{own}:list:l", *fields, "ranges_tip", _TIP, *_STAMPS
        yield "ZADD", f"{own}:lists", 0, "l"
        yield "HSET", f"{own}:list-names", "l", "l"
        for part in _parts(range(count), 1000):
            ranges = (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in part)
            yield "SADD", f"{own}:list:l:ranges", *ranges
    for index in range(keys):
        name, key = names[index % _WORKSPACES], f"k{index:07}"
        own = f"{shard_prefix(shard_of(name))}ws:{name}"
        digest = hashlib.sha256(credential(index).encode()).hexdigest()
        fields = ("display_name", f"Key {index}", "disabled", str(int(not index % 10)))
        fields += ("expire", "" if index % 7 else str(10**18 + index), "digest", digest)
        yield "HSET", f"{own}:key:{key}", *fields, "indexed", _TIP, *_STAMPS
        yield "SET", f"ipgate:digest:{digest}", f"{name}/{key}/{_TIP}"
        yield "ZADD", f"{own}:keys", 0, key
        if index % 3:
            yield "SADD", f"{own}:key:{key}:lists", "l"
            yield "ZADD", f"{own}:list:l:keys", 0, key


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of that size."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
