"""Reads a shard as it was at one point in its history, while others write to it.

All is read in small portions, and then whatever the stream of changes says was touched meanwhile,
again and again, until nothing was.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from ipgate.domain.errors import Unavailable
from ipgate.store import keys
from ipgate.store.connection import cause
from ipgate.store.rules import Head
from ipgate.store.scripts import IMPORTS, SCHEMA
from ipgate.store.upkeep import records
from ipgate.store.upkeep.reading import PAGE, Reading
from ipgate.store.upkeep.refused import Refused

_ROUNDS = 200
_COUNT = 500

# Where the shard stands, and the changes after ARGV[1], as of the same moment.
_SINCE = """
local meta = redis.call('HMGET', KEYS[1], 'schema', 'epoch', 'rev', 'tip')
return { meta, redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2]) }
"""


class Name(NamedTuple):
    """A resource. A list and a key are told apart by `rank`, in the order of the file."""

    workspace: str
    rank: int
    id: str


_WORKSPACE, _LIST, _KEY, _TOKEN = range(4)


class Snapshot:
    """One shard: `head`, `lines` of its workspaces in order, `tokens` by digest. `progress` is
    called with the number of resources read."""

    def __init__(self, reading: Reading, shard: int, progress: Callable[[int], None]) -> None:
        self.shard = shard
        self.head = Head("", 0, "")
        self.lines: dict[Name, str] = {}
        self._reading = reading
        self._prefix = keys.shard_prefix(shard)
        self._progress = progress

    async def take(self) -> None:
        """Raises Unavailable when the shard never stands still, and Refused when it is damaged."""
        try:
            await self._take()
        except (KeyError, ValueError) as fault:
            text = f"shard {self.shard} is damaged ({cause(fault)}); see ipgate doctor"
            raise Refused(text) from fault

    async def _take(self) -> None:
        self.head, _ = await self._since(0, 1)
        await self._read_all()
        for _ in range(_ROUNDS):
            head, changes = await self._since(self.head.number, _COUNT)
            if head == self.head:
                return
            if not changes or head.epoch != self.head.epoch or not self._follows(changes):
                # The stream was trimmed past us, or the store is another one than before.
                self.head, _ = await self._since(0, 1)
                self.lines.clear()
                await self._read_all()
                continue
            touched = {name for _, fields in changes for name in self._touched(fields)}
            await self._read(sorted(touched))
            number, fields = changes[-1]
            self.head = Head(head.epoch, int(number.partition("-")[0]), fields["tip"])
        raise Unavailable("the store changes faster than it can be read; try again")

    async def _since(self, number: int, count: int) -> tuple[Head, list[Any]]:
        where = (keys.meta(self.shard), keys.changes(self.shard))
        (schema, *meta), entries = await self._reading.ask("EVAL", _SINCE, 2, *where, number, count)
        if schema in IMPORTS:
            raise Refused("an import into the store was cut off; finish it with --restart first")
        if schema not in (None, SCHEMA):
            raise Refused(f"the store holds data of schema {schema}, and not {SCHEMA}")
        head = Head(meta[0] or "", int(meta[1] or 0), meta[2] or "")
        pairs = [(each, dict(zip(flat[::2], flat[1::2], strict=True))) for each, flat in entries]
        return head, pairs

    def _follows(self, changes: list[Any]) -> bool:
        return bool(changes[0][1]["prev"] == self.head.tip)

    def _touched(self, fields: dict[str, str]) -> set[Name]:
        """What a change touched."""
        kind, owner, ids = fields["kind"], fields["workspace"], fields["ids"].split()
        if kind == "token":
            return {Name("", _TOKEN, fields["digest"])}
        found = {Name(owner, _WORKSPACE, "")}
        if kind == "keys":
            return found | {Name(owner, _KEY, each) for each in ids}
        found |= {Name(owner, _LIST, each) for each in ids}
        if kind == "list_deleted":
            # Its links went in the same change.
            quoted = [f'"{each}"' for each in ids]
            found |= {
                name
                for name, text in self.lines.items()
                if name[:2] == (owner, _KEY) and any(each in text for each in quoted)
            }
        return found

    async def _read_all(self) -> None:
        async for page in self._reading.members(self._prefix + "workspaces", "zset"):
            await self._read([Name(each, _WORKSPACE, "") for each in page])
            for owner in page:
                for rank, kind in ((_LIST, "lists"), (_KEY, "keys")):
                    ids = self._reading.members(f"{self._prefix}ws:{owner}:{kind}", "zset")
                    async for part in ids:
                        await self._read([Name(owner, rank, each) for each in part])
        if self.shard == keys.TOKEN_SHARD:
            index = self._prefix + "token-ids"
            async for part in self._reading.members(index, "hash"):
                digests = await asyncio.gather(
                    *(self._reading.ask("HGET", index, each) for each in part)
                )
                await self._read([Name("", _TOKEN, each) for each in digests if each])

    async def _read(self, names: list[Name]) -> None:
        """Reads resources; those that are gone are dropped."""
        for first in range(0, len(names), PAGE):
            part = names[first : first + PAGE]
            for name, record in zip(
                part, await asyncio.gather(*map(self._record, part)), strict=True
            ):
                self.lines.pop(name, None)
                if record is not None:
                    self.lines[name] = records.line(record)
            self._progress(len(part))

    async def _record(self, name: Name) -> records.Record | None:
        owner, rank, identifier = name
        key = f"{self._prefix}ws:{owner}"
        if rank == _LIST:
            key += f":list:{identifier}"
        elif rank == _KEY:
            key += f":key:{identifier}"
        elif rank == _TOKEN:
            key = f"{self._prefix}token:{identifier}"
        fields = await self._reading.ask("HGETALL", key)
        if "etag" not in fields:
            return None
        if rank == _WORKSPACE:
            return records.workspace(owner, fields)
        if rank == _TOKEN:
            return records.token(identifier, fields)
        members = key + (":ranges" if rank == _LIST else ":lists")
        found = {each async for page in self._reading.members(members, "set") for each in page}
        if rank == _LIST:
            return records.allow_list(owner, identifier, fields, found)
        return records.api_key(owner, identifier, fields, found)
