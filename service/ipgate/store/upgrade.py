"""Upgrades a store of the former schema, shard by shard, in bounded steps that can be resumed.

It begins by renaming the field of the epoch in the meta of every shard. So scripts of older servers find
no store, and their workers answer nothing, for good; revisions stay valid. Each step checks the schema, so a
server that comes late changes nothing.

Schema 2 differs from 1 in this:
- the ranges of a list are the fields of a hash, whose values have their attributes, and no set;
- the API keys without an allow list have an index;
- `report` is stored for every workspace and API key, and `ipv6` for every workspace;
- lists and API keys have indexes by name, and API keys by expiry, and whether they are disabled; an API key has `folded`;
- a list has `addresses` instead of `span`, `blocks` and `ipv6_ranges`;
- the epoch of a shard is in the field `history`.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from ipgate.domain.shards import SHARDS
from ipgate.domain.text_validation import casefold_name
from ipgate.store import key_names
from ipgate.store.attribute_indexes import members_of
from ipgate.store.batch_reader import BatchReader, WrongKeyType
from ipgate.store.connection import run_ids, unavailable
from ipgate.store.parsed_key import ParsedKey, parse_key
from ipgate.store.scripts import FORMER, SCHEMA, UPGRADING, Scripts
from ipgate.store.topology import FAULTS

log = logging.getLogger(__name__)

_STEP = 1000
"""Ranges or API keys that one script handles."""

# Tries what the steps need on keys that do not exist: a user without a permission must not begin.
_TRY = """
for _, command in ipairs({ { 'TYPE' }, { 'SCARD' }, { 'UNLINK' }, { 'RENAME', ARGV[2] } }) do
  local answer = redis.pcall(command[1], KEYS[1], unpack(command, 2))
  if type(answer) == 'table' and answer.err and not string.find(answer.err, 'no such key') then
    return redis.error_reply(answer.err)
  end
end
"""

# Returns the schema after it.
_BEGIN = """
local schema, epoch = unpack(redis.call('HMGET', KEYS[1], 'schema', 'epoch'))
if schema == ARGV[2] and epoch then
  redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'upgrading', epoch)
  redis.call('HDEL', KEYS[1], 'epoch')
  return ARGV[3]
end
return schema
"""

# ARGV: meta, `upgrading`, the hash that the ranges are moved to, ranges.
_MOVE = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] or redis.call('TYPE', KEYS[1]).ok ~= 'set' then return end
local fields = {}
for i = 5, #ARGV do
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = ''
end
redis.call('HSET', ARGV[4], unpack(fields))
"""

_SWAP = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] or redis.call('TYPE', KEYS[1]).ok ~= 'set' then return end
if redis.call('HLEN', ARGV[4]) ~= redis.call('SCARD', KEYS[1]) then return redis.error_reply('ranges are missing') end
redis.call('UNLINK', KEYS[1])
redis.call('RENAME', ARGV[4], KEYS[1])
"""

# ARGV: meta, `upgrading`.
_WORKSPACE = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] or redis.call('HEXISTS', KEYS[1], 'etag') == 0 then return end
redis.call('HSETNX', KEYS[1], 'report', '0')
redis.call('HSETNX', KEYS[1], 'ipv6', '0')
"""

# ARGV: meta, `upgrading`.
_LIST = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] or redis.call('HEXISTS', KEYS[1], 'etag') == 0 then return end
redis.call('HSETNX', KEYS[1], 'addresses', redis.call('HGET', KEYS[1], 'span') or '0')
redis.call('HSETNX', KEYS[1], 'blocks', '0')
redis.call('HSETNX', KEYS[1], 'ipv6_ranges', '0')
redis.call('HDEL', KEYS[1], 'span')
"""

# Returns what the indexes of API keys depend on, and `folded`, which those have that were upgraded before. ARGV: their keys,
# all of the shard of KEYS[1].
_READ_API_KEYS = """
local answer = {}
for i, key in ipairs(ARGV) do
  answer[i] = redis.call('HMGET', key, 'etag', 'display_name', 'disabled', 'expire', 'folded')
end
return answer
"""

# The last step of some API keys. ARGV: meta, `upgrading`, the prefix of API keys, their ids, each with its folded name.
_API_KEYS = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] then return end
for i = 5, #ARGV, 2 do
  local key = ARGV[4] .. ARGV[i]
  if redis.call('HEXISTS', key, 'etag') == 1 then
    redis.call('HSETNX', key, 'report', '0')
    redis.call('HSETNX', key, 'folded', ARGV[i + 1])
    if redis.call('EXISTS', key .. ':lists') == 0 then redis.call('ZADD', KEYS[1], 0, ARGV[i]) end
  end
end
"""

# Adds members to the index KEYS[1]. ARGV: meta, `upgrading`, members.
_INDEX = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] then return end
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], 0, ARGV[i]) end
"""

_END = """
local schema, epoch = unpack(redis.call('HMGET', KEYS[1], 'schema', 'upgrading'))
if schema ~= ARGV[2] then return end
redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'history', epoch)
redis.call('HDEL', KEYS[1], 'upgrading')
"""


_Row = list[str | None]
"""What _READ_API_KEYS returns of an API key."""


async def upgrade(scripts: Scripts) -> None:
    """Upgrade a store of the former schema; leave any other as it is.

    Raises: Unavailable, and redis's errors. Called again, it goes on where it ended.
    """
    try:
        await _Upgrade(scripts).run()
    except FAULTS as error:
        raise unavailable(error, writing=False) from error


class _Upgrade:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._reader = BatchReader(scripts.store)

    async def run(self) -> None:
        schemas = [
            await self._reader.execute("HGET", key_names.meta(shard), "schema")
            for shard in range(SHARDS)
        ]
        if not {FORMER, UPGRADING} & set(schemas):
            return
        await self._try_all()
        shards = set()
        for shard in range(SHARDS):
            meta = key_names.meta(shard)
            if await self._write(shard, meta, _BEGIN, FORMER, UPGRADING) == UPGRADING:
                shards.add(shard)
        log.warning("upgrading the store, which no server uses until it is done schema=%s", SCHEMA)
        for shard in sorted(shards):
            await self._shard(shard)
        before: set[str] = set()
        while (present := await run_ids(self._scripts.store)) != before:
            # A scan can miss keys when a server restarts: then it is repeated.
            before = present
            await self._without_index(shards)
        for shard in sorted(shards):
            await self._write(shard, key_names.meta(shard), _END, UPGRADING, SCHEMA)
        log.info("upgraded the store schema=%s", SCHEMA)

    async def _try_all(self) -> None:
        """Check the permissions before the first change.

        Raises redis's error for one that is missing.
        """
        absent = key_names.of("list-upgrade", "nobody", "nothing")
        also_absent = key_names.of("list-ranges", "nobody", "nothing")
        await self._scripts.write(absent, _TRY, also_absent)
        async for _ in self._reader.members(absent, "set"):
            pass
        async for _ in self._pages(key_names.of("keys", "nobody")):
            pass
        async for _ in self._reader.keys():
            break

    async def _shard(self, shard: int) -> None:
        """Upgrade what the indexes of a shard name."""
        async for workspaces in self._pages(key_names.of_shard("workspaces", shard)):
            for workspace in workspaces:
                key = key_names.of("workspace", workspace)
                await self._write(shard, key, _WORKSPACE, key_names.meta(shard), UPGRADING)
                async for lists in self._pages(key_names.of("lists", workspace)):
                    for allow_list in lists:
                        await self._list(shard, workspace, allow_list)
                        await self._ranges(shard, workspace, allow_list)
                async for keys in self._pages(key_names.of("keys", workspace)):
                    await self._api_keys(shard, workspace, keys)

    async def _without_index(self, shards: set[int]) -> None:
        """Upgrade what no index names, which a damaged store may have."""
        api_keys: dict[int, list[ParsedKey]] = {shard: [] for shard in shards}
        async for page in self._reader.keys():
            for at in map(parse_key, filter(_may_be_old, page)):
                if at is None or at.shard not in shards:
                    continue
                if at.kind == "list":
                    await self._list(at.shard, at.workspace, at.id)
                elif at.kind == "list-ranges":
                    await self._ranges(at.shard, at.workspace, at.id)
                elif at.kind == "key":
                    api_keys[at.shard].append(at)
                    if len(api_keys[at.shard]) == _STEP:
                        await self._scanned(at.shard, api_keys[at.shard])
                        api_keys[at.shard] = []
        for shard, rest in api_keys.items():
            await self._scanned(shard, rest)

    async def _scanned(self, shard: int, api_keys: Sequence[ParsedKey]) -> None:
        """Upgrade those of some API keys that were not yet."""
        pending: dict[str, list[str]] = {}
        rows = await self._read_api_keys(shard, [at.key for at in api_keys])
        for at, row in zip(api_keys, rows, strict=True):
            if _is_pending(row):
                pending.setdefault(at.workspace, []).append(at.id)
        for workspace, ids in pending.items():
            await self._api_keys(shard, workspace, ids)

    async def _list(self, shard: int, workspace: str, allow_list: str) -> None:
        key = key_names.of("list", workspace, allow_list)
        await self._write(shard, key, _LIST, key_names.meta(shard), UPGRADING)
        folded = await self._reader.execute("HGET", key, "folded")
        await self._index(shard, workspace, "list", {allow_list: {"folded": folded or ""}})

    async def _index(
        self, shard: int, workspace: str, kind: str, resources: dict[str, dict[str, str]]
    ) -> None:
        """Put lists or API keys into the indexes by their attributes."""
        members: dict[str, list[str]] = {}
        for identifier, fields in resources.items():
            for index, member in members_of(kind, identifier, fields).items():
                members.setdefault(index, []).append(member)
        for index, part in members.items():
            where = (key_names.of(index, workspace), _INDEX, key_names.meta(shard), UPGRADING)
            await self._write(shard, *where, *part)

    async def _ranges(self, shard: int, workspace: str, allow_list: str) -> None:
        key = key_names.of("list-ranges", workspace, allow_list)
        target = key_names.of("list-upgrade", workspace, allow_list)
        arguments = (key_names.meta(shard), UPGRADING, target)
        try:
            async for page in self._reader.members(key, "set"):
                for first in range(0, len(page), _STEP):
                    await self._write(shard, key, _MOVE, *arguments, *page[first : first + _STEP])
        except WrongKeyType:
            return  # it was upgraded before
        await self._write(shard, key, _SWAP, *arguments)

    async def _api_keys(self, shard: int, workspace: str, keys: Sequence[str]) -> None:
        index, prefix = key_names.of("unlinked", workspace), key_names.of("key", workspace)
        rows = await self._read_api_keys(shard, [f"{prefix}{key}" for key in keys])
        live = {}
        for key, row in zip(keys, rows, strict=True):
            if _is_pending(row):
                _, display_name, disabled, expire, _ = row
                folded = casefold_name(display_name or "")
                live[key] = {"folded": folded, "disabled": disabled or "", "expire": expire or ""}
        if not live:
            return
        await self._index(shard, workspace, "key", live)
        words = [word for key, fields in live.items() for word in (key, fields["folded"])]
        await self._write(shard, index, _API_KEYS, key_names.meta(shard), UPGRADING, prefix, *words)

    async def _read_api_keys(self, shard: int, keys: Sequence[str]) -> list[_Row]:
        rows: list[_Row] = await self._reader.execute(
            "EVAL", _READ_API_KEYS, 1, key_names.meta(shard), *keys
        )
        return rows

    async def _pages(self, index: str) -> AsyncIterator[list[str]]:
        """Yield the members of an index in pages, each by the last member of the page before.

        A damaged store may have something else there, which `ipgate doctor` finds.
        """
        after = "-"
        with suppress(WrongKeyType):
            while page := await self._reader.execute(
                "ZRANGE", index, after, "+", "BYLEX", "LIMIT", 0, _STEP
            ):
                yield page
                after = f"({page[-1]}"

    async def _write(self, shard: int, key: str, script: str, *arguments: str) -> object:
        return await self._scripts.write(key, script, *arguments, shard=shard)


def _is_pending(row: _Row) -> bool:
    """Return whether an API key is live and was not upgraded before."""
    return row[0] is not None and row[4] is None


def _may_be_old(key: str) -> bool:
    """Return whether a key may be of a kind that is upgraded; most are not, and parsing takes longer."""
    return not key.startswith(key_names.DIGEST_PREFIX) and not key.endswith(":lists")
