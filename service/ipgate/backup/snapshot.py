"""Reads a shard as it was at one point in its history, while others write to it.

Everything is read in small portions, and then again what changes have touched since,
again and again, until nothing was.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from ipgate.backup import records
from ipgate.backup.errors import BackupError
from ipgate.backup.records import KINDS
from ipgate.domain.changes import Change, Position, Touched
from ipgate.domain.errors import Unavailable
from ipgate.domain.shards import TOKEN_SHARD
from ipgate.store import key_names
from ipgate.store.batch_reader import PAGE, BatchReader
from ipgate.store.connection import cause
from ipgate.store.feed import parse_change
from ipgate.store.scripts import IMPORTS, SCHEMA

_ROUNDS = 200
_COUNT = 500

# The shard's position, and the changes after ARGV[1], at the same moment.
_SINCE = """
local meta = redis.call('HMGET', KEYS[1], 'schema', 'history', 'rev', 'tip')
return { meta, redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2]) }
"""


class Name(NamedTuple):
    """A resource.

    `rank` distinguishes lists from keys, in the order of the file.
    """

    workspace: str
    rank: int
    id: str


_WORKSPACE, _LIST, _KEY, _TOKEN = range(4)


class Snapshot:
    """One shard as of `position`; `lines`: the export's lines by resource.

    `progress` is called with the number of resources that were read.
    """

    def __init__(self, reader: BatchReader, shard: int, progress: Callable[[int], None]) -> None:
        self.shard = shard
        self.position = Position("", 0, "")
        self.lines: dict[Name, str] = {}
        self._reader = reader
        self._progress = progress

    async def take(self) -> None:
        """Read the shard.

        Raises: Unavailable if the shard never stands still, and BackupError if it is damaged.
        """
        try:
            await self._take()
        except (KeyError, ValueError) as error:
            text = f"shard {self.shard} is damaged ({cause(error)}); see ipgate doctor"
            raise BackupError(text) from error

    async def _take(self) -> None:
        await self._start()
        for _ in range(_ROUNDS):
            position, changes = await self._since(self.position.sequence, _COUNT)
            if position == self.position:
                return
            touched = [change.touched() for change in changes]
            if (
                not changes
                or position.epoch != self.position.epoch
                or changes[0].previous_id != self.position.change_id
                or any(change.everything for change in touched)
            ):
                # The stream was trimmed beyond this position, or the history is another one than before.
                await self._start()
                continue
            await self._read(sorted({name for change in touched for name in self._names(change)}))
            last = changes[-1]
            self.position = Position(position.epoch, last.sequence, last.change_id)
        raise Unavailable("the store changes faster than it can be read; try again")

    async def _start(self) -> None:
        """Read everything, from the current position on."""
        self.position, _ = await self._since(0, 1)
        self.lines.clear()
        await self._read_all()

    async def _since(self, sequence: int, count: int) -> tuple[Position, list[Change]]:
        """Return the shard's position, and up to `count` changes after a sequence number."""
        where = (key_names.meta(self.shard), key_names.changes(self.shard))
        (schema, *meta), entries = await self._reader.execute(
            "EVAL", _SINCE, 2, *where, sequence, count
        )
        if schema in IMPORTS:
            raise BackupError(
                "an import into the store was interrupted; finish it with --restart first"
            )
        if schema not in (None, SCHEMA):
            raise BackupError(
                f"the store holds data of schema {schema}, and not {SCHEMA}; start a server of this version, "
                "which upgrades it"
            )
        position = Position(meta[0] or "", int(meta[1] or 0), meta[2] or "")
        changes = [
            parse_change(identifier, dict(zip(flat[::2], flat[1::2], strict=True)))
            for identifier, flat in entries
        ]
        return position, changes

    def _names(self, touched: Touched) -> set[Name]:
        """Return the resources that a change touched."""
        if touched.token:
            return {Name("", _TOKEN, touched.token)}
        owner = touched.workspace
        names = {Name(owner, _WORKSPACE, "")}
        names |= {Name(owner, _KEY, key) for key in touched.api_keys}
        for allow_list in (touched.list_ranges, touched.list_text, touched.deleted_list):
            if allow_list:
                names.add(Name(owner, _LIST, allow_list))
        if touched.deleted_list:
            # The same change unlinked the keys of the list.
            quoted = f'"{touched.deleted_list}"'
            names |= {
                name
                for name, text in self.lines.items()
                if name[:2] == (owner, _KEY) and quoted in text
            }
        return names

    async def _read_all(self) -> None:
        async for page in self._reader.members(
            key_names.of_shard("workspaces", self.shard), "zset"
        ):
            await self._read([Name(workspace, _WORKSPACE, "") for workspace in page])
            for workspace in page:
                for rank, index in ((_LIST, "lists"), (_KEY, "keys")):
                    ids = self._reader.members(key_names.of(index, workspace), "zset")
                    async for part in ids:
                        await self._read([Name(workspace, rank, member) for member in part])
        if self.shard == TOKEN_SHARD:
            index = key_names.of("token-ids")
            async for part in self._reader.members(index, "hash"):
                digests = await asyncio.gather(
                    *(self._reader.execute("HGET", index, token) for token in part)
                )
                await self._read([Name("", _TOKEN, digest) for digest in digests if digest])

    async def _read(self, names: list[Name]) -> None:
        """Read resources; those that are gone are dropped."""
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
        kind = KINDS[rank]
        stored = await self._reader.execute("HGETALL", key_names.of(kind, owner, identifier))
        if "etag" not in stored:
            return None
        if rank == _WORKSPACE:
            return records.workspace(owner, stored)
        if rank == _TOKEN:
            return records.token(identifier, stored)
        if rank == _LIST:
            ranges = await self._ranges(name)
            return records.allow_list(owner, identifier, stored, ranges)
        return records.api_key(
            owner, identifier, stored, await self._members("key-lists", name, "set")
        )

    async def _ranges(self, name: Name) -> dict[str, str]:
        pages = self._reader.fields(key_names.of("list-ranges", name.workspace, name.id))
        return {range_: value async for page in pages for range_, value in page.items()}

    async def _members(self, kind: str, name: Name, type_: str) -> set[str]:
        pages = self._reader.members(key_names.of(kind, name.workspace, name.id), type_)
        return {member async for page in pages for member in page}
