"""Reads the change streams: one connection, one blocking read for all the shards it serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from ipgate.store import keys
from ipgate.store.rules import Head

BLOCK = 1.0
"""Seconds that one read waits for changes."""

SOCKET_TIMEOUT = BLOCK + 1.0
"""For the feed's own connection: a store that hangs is noticed soon after."""

COUNT = 500
"""At most this many changes of a shard are read at once."""

_HEADS = """
local heads = {}
for i, meta in ipairs(KEYS) do heads[i] = redis.call('HMGET', meta, 'epoch', 'rev', 'tip') end
return heads
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what it made, and the `prev` tip it was made upon. `kind` tells what `ids` are:
    ids of keys (`keys`) or of one list (`list`, `list_text`, `list_deleted`)."""

    number: int
    prev: str
    tip: str
    kind: str
    workspace: str
    ids: tuple[str, ...]
    digest: str


class Feed:
    """The changes of `shards`, which must be on one server. Raises redis's errors."""

    def __init__(self, redis: "Redis", shards: Sequence[int]) -> None:
        self.shards = tuple(shards)
        self._redis = redis
        self._metas = [keys.meta(shard) for shard in self.shards]
        self._streams = {keys.changes(shard): shard for shard in self.shards}

    async def heads(self) -> dict[int, Head]:
        """Where each shard's history stands. An epoch of "" means that the shard is not set up."""
        answer = await self._redis.eval(_HEADS, len(self._metas), *self._metas)
        return _heads(self.shards, answer)

    async def wait(self, after: dict[int, int]) -> tuple[dict[int, Head], dict[int, list[Change]]]:
        """Where each shard stood when the read began, and its changes after the numbers given:
        at once if there are any, else when the first comes or BLOCK has passed."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.eval(_HEADS, len(self._metas), *self._metas)
        positions: Any = {keys.changes(shard): f"{after[shard]}-0" for shard in self.shards}
        pipe.xread(positions, count=COUNT, block=int(BLOCK * 1000))
        heads, streams = await pipe.execute()
        found = {
            self._streams[name]: [_change(identifier, fields) for identifier, fields in entries]
            for name, entries in streams or ()
        }
        return _heads(self.shards, heads), found

    async def close(self) -> None:
        await self._redis.aclose()


def _heads(shards: Sequence[int], answer: Any) -> dict[int, Head]:
    return {
        shard: Head(epoch or "", int(number or 0), tip or "")
        for shard, (epoch, number, tip) in zip(shards, answer, strict=True)
    }


def _change(identifier: str, fields: dict[str, str]) -> Change:
    return Change(
        number=int(identifier.partition("-")[0]),
        prev=fields["prev"],
        tip=fields["tip"],
        kind=fields["kind"],
        workspace=fields["workspace"],
        ids=tuple(fields["ids"].split()),
        digest=fields["digest"],
    )
