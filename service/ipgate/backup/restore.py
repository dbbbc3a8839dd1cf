"""Writes an export into an empty store.

While it does, every shard is marked in its meta: it has no epoch, so that a server that runs on the
store serves nothing of it, and another schema, so that none starts. The marks are taken off when
all is written: first each shard is said to be whole, then each gets a new epoch, on which all
servers drop what they hold. So what is marked "importing" was never served, and may be emptied.
"""

import asyncio
import hashlib
import json
import secrets
from typing import IO, Any

from ipgate.backup import records
from ipgate.backup.errors import BackupError
from ipgate.backup.validation import Progress, Validated, validate
from ipgate.clock import Clock
from ipgate.domain.errors import quoted
from ipgate.domain.shards import SHARDS
from ipgate.store import key_names
from ipgate.store.batch_reader import PAGE, BatchReader
from ipgate.store.parsed_key import parse_key
from ipgate.store.scripts import IMPORTED, IMPORTING, IMPORTS, SCHEMA, Scripts
from ipgate.store.topology import Store

_KEPT = ("meta", "changes", "workers", "root", "audit", "audit-bytes", "audit-denied")
"""What servers on a store that holds nothing yet write, and an import leaves alone."""

_BATCH = 2000
"""Words of the commands that are sent to a shard together."""

# Puts the mark ARGV[2] on a shard that holds nothing, or only what a former import wrote. Answers with
# the meta as it was before, false for a shard that holds something else. ARGV[3]: its prefix.
_MARK = """
local former = redis.call('HMGET', KEYS[1], 'schema', 'history', 'rev', 'tip', 'import')
local marked = redis.call('HEXISTS', KEYS[1], 'import') == 1
if not marked and redis.call('EXISTS', ARGV[3] .. 'workspaces', ARGV[3] .. 'tokens') > 0 then return false end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'schema', 'importing', 'import', ARGV[2])
return former
"""

# Runs commands on a shard, if the mark is still ours.
_WRITE = """
if redis.call('HGET', KEYS[1], 'import') ~= ARGV[2] then return 0 end
for _, command in ipairs(cjson.decode(ARGV[3])) do redis.call(unpack(command)) end
return 1
"""

_UNLINK = "redis.call('UNLINK', KEYS[1])"

_INDEX = "redis.call('SET', KEYS[1], ARGV[2])"


async def restore(
    redis: Store, file: IO[bytes], *, restart: bool, progress: Progress
) -> dict[str, int]:
    """Import a file that can be read twice, and return the number of records by kind.

    Nothing is written if any of it is wrong, or if the store is not empty. With `restart`, it continues an
    interrupted import.

    Raises: BackupError, and redis's errors.
    """
    validated = validate(file, progress)
    if validated.violations:
        raise BackupError("the file cannot be imported; nothing was written", validated.lines())
    await Restore(redis, validated, progress).run(file, restart=restart)
    counts: dict[str, int] = validated.header["counts"]
    return counts


class Restore:
    """One import of a file that was validated good."""

    def __init__(self, redis: Store, validated: Validated, progress: Progress) -> None:
        self._scripts = Scripts(redis, Clock())
        self._reader = BatchReader(redis)
        self._header = validated.header
        self._sha256 = validated.sha256
        # What another version has written is of another schema.
        self._file = f"{SCHEMA}.{validated.sha256}"
        self._mark = f"{self._file}.{secrets.token_hex(8)}"
        self._progress = progress
        self._total = sum(validated.header["counts"].values())

    async def run(self, file: IO[bytes], *, restart: bool) -> None:
        states = [await self._state(shard) for shard in range(SHARDS)]
        schemas = {schema for schema, _ in states}
        if not restart and schemas & set(IMPORTS):
            raise BackupError(
                "an import into the store was interrupted; give --restart to begin it again"
            )
        if restart and not schemas & set(IMPORTS):
            raise BackupError("no import into the store was interrupted; import without --restart")
        if IMPORTED in schemas and IMPORTING not in schemas:
            await self._open_rest(states)
            return
        if not restart:
            await self._check_empty()
        await self._mark_all()
        if restart:
            await self._clear()
        await self._write_all(file)
        for shard in range(SHARDS):
            await self._write(shard, [["HSET", key_names.meta(shard), "schema", IMPORTED]])
        for shard in range(SHARDS):
            await self._open(shard)

    async def _open_rest(self, states: list[tuple[str | None, str]]) -> None:
        """All was written, and a part may be served already: what is left is to serve the rest."""
        for shard, (schema, mark) in enumerate(states):
            if schema == IMPORTED:
                if not mark.startswith(self._file):
                    text = "the import of another file, or by another version, was all but finished; restart that one"
                    raise BackupError(text)
                self._mark = mark
                await self._open(shard)

    async def _state(self, shard: int) -> tuple[str | None, str]:
        """Return the schema and the mark of a shard."""
        schema, mark = await self._reader.execute(
            "HMGET", key_names.meta(shard), "schema", "import"
        )
        return schema, mark or ""

    async def _check_empty(self) -> None:
        async for page in self._reader.keys():
            for key in page:
                at = parse_key(key)
                if at is None or at.kind not in _KEPT:
                    raise BackupError(f"the store is not empty: it has the key {quoted(key)}")

    async def _mark_all(self) -> None:
        """Mark all shards; if one is not empty, the others are as before."""
        marked: list[tuple[int, list[str | None]]] = []
        for shard in range(SHARDS):
            former = await self._write_in_time(
                key_names.meta(shard), _MARK, self._mark, key_names.shard_prefix(shard), shard=shard
            )
            if former is not None:
                marked.append((shard, former))
                continue
            for done, meta in marked:
                fields = zip(("schema", "history", "rev", "tip", "import"), meta, strict=True)
                back = [word for name, value in fields if value for word in (name, value)]
                key = key_names.meta(done)
                again = [["HSET", key, *back]] if back else []
                await self._write(done, [["DEL", key], *again])
            raise BackupError("the store is not empty: somebody writes to it")

    async def _clear(self) -> None:
        """Remove what an import wrote.

        The store was empty before, and nobody else can write to it while it is marked.
        """
        async for page in self._reader.keys():
            for key in page:
                at = parse_key(key)
                if at is not None and at.kind not in _KEPT:
                    await self._write_in_time(key, _UNLINK)

    async def _write_all(self, file: IO[bytes]) -> None:
        waiting: dict[int, list[records.Command]] = {shard: [] for shard in range(SHARDS)}
        words = dict.fromkeys(range(SHARDS), 0)
        keys: list[records.Record] = []
        sha256 = hashlib.sha256()
        file.seek(0)
        for number, text in enumerate(file):
            record = json.loads(text)
            if record["kind"] == "trailer":
                break
            sha256.update(text)
            if record["kind"] == "header":
                continue
            shard = records.shard(record)
            for command in records.commands(record):
                waiting[shard].append(command)
                words[shard] += len(command)
                if words[shard] >= _BATCH:
                    await self._write(shard, waiting[shard])
                    waiting[shard], words[shard] = [], 0
                    self._progress(self._total + number, 2 * self._total)
            if record["kind"] == "key":
                keys.append(record)
            if len(keys) >= PAGE:
                await self._index(keys)
                keys = []
        for shard, commands in waiting.items():
            await self._write(shard, commands)
        await self._index(keys)
        if sha256.hexdigest() != self._sha256:
            raise BackupError(
                "the file changed while it was imported; give --restart to begin again"
            )

    async def _write(self, shard: int, commands: list[records.Command]) -> None:
        words = json.dumps(commands)
        if commands and not await self._write_in_time(
            key_names.meta(shard), _WRITE, self._mark, words, shard=shard
        ):
            raise BackupError("another import has taken over")

    async def _write_in_time(
        self, key: str, script: str, *arguments: str, shard: int | None = None
    ) -> Any:
        _, command = await self._scripts.command(key, script, *arguments, shard=shard)
        return await self._reader.execute(*command)

    async def _index(self, keys: list[records.Record]) -> None:
        await asyncio.gather(
            *(
                self._write_in_time(key_names.digest(digest), _INDEX, records.entry(key))
                for key in keys
                for digest in records.digests(key)
            )
        )

    async def _open(self, shard: int) -> None:
        """Let a shard be served, as a new history that begins after the latest `rev` in it."""
        meta = key_names.meta(shard)
        fields = ("schema", SCHEMA, "history", secrets.token_hex(8), "tip", secrets.token_hex(8))
        rev = str(self._header["shards"][shard]["rev"] + 1)
        commands = [
            ["DEL", key_names.changes(shard)],
            ["DEL", meta],
            ["HSET", meta, *fields, "rev", rev],
        ]
        await self._write(shard, commands)
