"""Reads the change streams, by one blocking read for all the shards of a feed."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import RedisCluster

from ipgate.domain.changes import Change, ChangeKind, Position
from ipgate.domain.shards import SHARDS
from ipgate.store import key_names
from ipgate.store.store_clock import StoreClock
from ipgate.store.topology import Store, primary_of

BLOCK = 1.0
"""Seconds that one read waits for changes."""

SOCKET_TIMEOUT = BLOCK + 1.0
"""For the feed's own connection: a store that hangs is noticed soon after."""

COUNT = 500
"""Changes of a shard that are read together, at most."""

_HEADS = """
local heads = {}
for i, meta in ipairs(KEYS) do heads[i] = redis.call('HMGET', meta, 'history', 'rev', 'tip') end
return { heads, redis.call('TIME') }
"""

_HISTORIES = """
local heads, tips, count = {}, {}, #KEYS / 2
for i = 1, count do
  heads[i] = redis.call('HMGET', KEYS[i], 'history', 'rev', 'tip')
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
"""Last changes of a shard whose ids are known from the start. A failover loses some of the last changes;
a revision of a lost change must not pass for the change that has its sequence number now."""


class Feed:
    """The changes of `shards`, which must be on one server.

    Each read takes a reading of the store's clock, too. Raises what redis-py raises.
    """

    def __init__(self, store: Store, shards: Sequence[int], store_clock: StoreClock) -> None:
        self.shards = tuple(shards)
        self._store = store
        self._store_clock = store_clock
        self._metas = [key_names.meta(shard) for shard in self.shards]
        self._names = [key_names.changes(shard) for shard in self.shards]
        self._streams = dict(zip(self._names, self.shards, strict=True))

    async def histories(self) -> dict[int, tuple[Position, dict[int, str]]]:
        """Read the last position of each shard, and the ids of its last changes by sequence number.

        An epoch of "" means that the shard is not set up.
        """
        count = len(self.shards)
        answer = await self._store.eval(
            _HISTORIES, 2 * count, *self._metas, *self._names, str(REMEMBERED)
        )
        heads = _positions(self.shards, answer[0])
        return {
            shard: (heads[shard], {_sequence(identifier): tip for identifier, tip in tips})
            for shard, tips in zip(self.shards, answer[1], strict=True)
        }

    async def positions(self) -> dict[int, Position]:
        """Read the last position of each shard."""
        asked = self._store_clock.steady()
        answer = await self._store.eval(_HEADS, len(self._metas), *self._metas)
        return self._positions(answer, asked)

    async def wait(
        self, after: dict[int, int]
    ) -> tuple[dict[int, Position], dict[int, list[Change]]]:
        """Read the position of each shard at the beginning of the read, and its changes `after` a sequence number.

        Returns immediately if there are changes, otherwise with the first one or after BLOCK seconds.
        """
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
        changes_by_shard = {
            self._streams[name]: [
                parse_change(identifier, fields) for identifier, fields in entries
            ]
            for name, entries in streams or ()
        }
        return self._positions(answer, asked), changes_by_shard

    def _positions(self, answer: Any, asked: float) -> dict[int, Position]:
        heads, (seconds, micros) = answer
        self._store_clock.observe(self.shards, int(seconds) + int(micros) / 1e6, asked=asked)
        return _positions(self.shards, heads)


def open_feeds(store: Store, store_clock: StoreClock) -> list[Feed]:
    """Feed of all shards: one for all of them, or one for each where they may be on different servers."""
    if isinstance(store, RedisCluster):
        return [Feed(store, [shard], store_clock) for shard in range(SHARDS)]
    return [Feed(store, range(SHARDS), store_clock)]


def _positions(shards: Sequence[int], answer: Any) -> dict[int, Position]:
    return {
        shard: Position(epoch or "", int(sequence or 0), change_id or "")
        for shard, (epoch, sequence, change_id) in zip(shards, answer, strict=True)
    }


def _sequence(identifier: str) -> int:
    return int(identifier.partition("-")[0])


def parse_change(identifier: str, fields: dict[str, str]) -> Change:
    """Return the change of an entry of a stream.

    Raises: KeyError and ValueError for a damaged one.
    """
    return Change(
        sequence=_sequence(identifier),
        previous_id=fields["prev"],
        change_id=fields["tip"],
        kind=ChangeKind(fields["kind"]),
        workspace=fields["workspace"],
        ids=tuple(fields["ids"].split()),
        digest=fields["digest"],
        ranges=fields.get("ranges", ""),  # older versions did not write it
    )
