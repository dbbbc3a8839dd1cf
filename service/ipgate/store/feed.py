"""Reads the change streams, by one blocking read for all the shards of a feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import RedisCluster

from ipgate.domain.revision import SHARDS
from ipgate.store import keys
from ipgate.store.rules import Head
from ipgate.store.store_clock import StoreClock
from ipgate.store.topology import Store, primary_of

BLOCK = 1.0
"""Seconds that one read waits for changes."""

SOCKET_TIMEOUT = BLOCK + 1.0
"""For the feed's own connection: a store that hangs is noticed soon after."""

COUNT = 500
"""At most this many changes of a shard are read at once."""

_HEADS = """
local heads = {}
for i, meta in ipairs(KEYS) do heads[i] = redis.call('HMGET', meta, 'epoch', 'rev', 'tip') end
return { heads, redis.call('TIME') }
"""

_HISTORIES = """
local heads, tips, count = {}, {}, #KEYS / 2
for i = 1, count do
  heads[i] = redis.call('HMGET', KEYS[i], 'epoch', 'rev', 'tip')
  tips[i] = {}
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[count + i], '+', '-', 'COUNT', ARGV[1])) do
    for at = 1, #entry[2], 2 do
      if entry[2][at] == 'tip' then table.insert(tips[i], 1, { entry[1], entry[2][at + 1] }) end
    end
  end
end
return { heads, tips }
"""

REMEMBERED = 500
"""So many of a shard's last changes are known by their tips from the start. A failover loses some of
the last; a revision of one that was lost must not be taken for the one that has its number now."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what it made, and the `prev` tip it was made upon. `kind` tells what `ids` are:
    ids of keys (`keys`) or of one list (`list`, `list_text`, `list_deleted`). `ranges`: how those of
    the `list` change, as `parse_amendments` reads it; "" for a list to be read anew."""

    number: int
    prev: str
    tip: str
    kind: str
    workspace: str
    ids: tuple[str, ...]
    digest: str
    ranges: str


class Feed:
    """The changes of `shards`, which must be on one server. Each read takes a reading of the store's
    clock, too. Raises what redis-py raises."""

    def __init__(self, store: Store, shards: Sequence[int], store_clock: StoreClock) -> None:
        self.shards = tuple(shards)
        self._store = store
        self._store_clock = store_clock
        self._metas = [keys.meta(shard) for shard in self.shards]
        self._names = [keys.changes(shard) for shard in self.shards]
        self._streams = dict(zip(self._names, self.shards, strict=True))

    async def histories(self) -> dict[int, tuple[Head, dict[int, str]]]:
        """Where each shard's history stands, and the tips of its last changes by their numbers. An
        epoch of "" means that the shard is not set up."""
        count = len(self.shards)
        answer = await self._store.eval(
            _HISTORIES, 2 * count, *self._metas, *self._names, str(REMEMBERED)
        )
        heads = _heads(self.shards, answer[0])
        return {
            shard: (heads[shard], {_number(identifier): tip for identifier, tip in tips})
            for shard, tips in zip(self.shards, answer[1], strict=True)
        }

    async def heads(self) -> dict[int, Head]:
        """Where each shard stands now."""
        asked = self._store_clock.steady()
        answer = await self._store.eval(_HEADS, len(self._metas), *self._metas)
        return self._heads(answer, asked)

    async def wait(self, after: dict[int, int]) -> tuple[dict[int, Head], dict[int, list[Change]]]:
        """Where each shard stood when the read began, and its changes after the numbers given:
        at once if there are any, else when the first comes or BLOCK has passed."""
        positions = [f"{after[shard]}-0" for shard in self.shards]
        heads: list[str | int] = ["EVAL", _HEADS, len(self._metas), *self._metas]
        block = ("BLOCK", int(BLOCK * 1000), "COUNT", COUNT)
        changes: list[str | int] = ["XREAD", *block, "STREAMS", *self._names, *positions]
        asked = self._store_clock.steady()
        if isinstance(self._store, RedisCluster):
            answer = await self._store.execute_command(*heads)
            # Else the client would ask a node where the command's keys are, at every call.
            node = primary_of(self._store, self._names[0])
            streams = await self._store.execute_command(*changes, target_nodes=node)
        else:
            pipe = self._store.pipeline(transaction=False)
            pipe.execute_command(*heads)
            pipe.execute_command(*changes)
            answer, streams = await pipe.execute()
        found = {
            self._streams[name]: [_change(identifier, fields) for identifier, fields in entries]
            for name, entries in streams or ()
        }
        return self._heads(answer, asked), found

    def _heads(self, answer: Any, asked: float) -> dict[int, Head]:
        heads, (seconds, micros) = answer
        self._store_clock.observe(self.shards, int(seconds) + int(micros) / 1e6, asked=asked)
        return _heads(self.shards, heads)


def open_feeds(store: Store, store_clock: StoreClock) -> list[Feed]:
    """Feeds of all shards: one for all of them, or one for each where they may be apart."""
    if isinstance(store, RedisCluster):
        return [Feed(store, [shard], store_clock) for shard in range(SHARDS)]
    return [Feed(store, range(SHARDS), store_clock)]


def _heads(shards: Sequence[int], answer: Any) -> dict[int, Head]:
    return {
        shard: Head(epoch or "", int(number or 0), tip or "")
        for shard, (epoch, number, tip) in zip(shards, answer, strict=True)
    }


def _number(identifier: str) -> int:
    return int(identifier.partition("-")[0])


def _change(identifier: str, fields: dict[str, str]) -> Change:
    return Change(
        number=_number(identifier),
        prev=fields["prev"],
        tip=fields["tip"],
        kind=fields["kind"],
        workspace=fields["workspace"],
        ids=tuple(fields["ids"].split()),
        digest=fields["digest"],
        ranges=fields.get("ranges", ""),  # former versions did not write it
    )
