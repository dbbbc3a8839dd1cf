"""Upgrades a store of the former schema, shard by shard, in bounded steps that can be resumed.

It begins by renaming the field of the epoch in the meta of every shard. So scripts of older servers find
no store, and their workers answer nothing, for good; revisions stay valid. Each step checks the schema, so a
server that comes late changes nothing.

Schema 2 differs from 1 in this:
- the ranges of a list are the fields of a hash, whose values have their attributes, and no set;
- the API keys without an allow list have an index;
- the epoch of a shard is in the field `history`.
"""

import logging
from collections.abc import Sequence

from ipgate.domain.shards import SHARDS
from ipgate.store import key_names
from ipgate.store.batch_reader import BatchReader, WrongKeyType
from ipgate.store.parsed_key import ParsedKey, parse_key
from ipgate.store.scripts import FORMER, SCHEMA, UPGRADING, Scripts

log = logging.getLogger(__name__)

_STEP = 1000
"""Ranges or API keys that one script handles."""

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

# ARGV: meta, `upgrading`, the prefix of API keys, their ids.
_INDEX = """
if redis.call('HGET', ARGV[2], 'schema') ~= ARGV[3] then return end
for i = 5, #ARGV do
  local key = ARGV[4] .. ARGV[i]
  if redis.call('HEXISTS', key, 'etag') == 1 and redis.call('EXISTS', key .. ':lists') == 0 then
    redis.call('ZADD', KEYS[1], 0, ARGV[i])
  end
end
"""

_END = """
local schema, epoch = unpack(redis.call('HMGET', KEYS[1], 'schema', 'upgrading'))
if schema ~= ARGV[2] then return end
redis.call('HSET', KEYS[1], 'schema', ARGV[3], 'history', epoch)
redis.call('HDEL', KEYS[1], 'upgrading')
"""


async def upgrade(scripts: Scripts) -> None:
    """Upgrade a store of the former schema; leave any other as it is.

    Raises: Unavailable, and redis's errors. Called again, it goes on where it ended.
    """
    schemas = [
        await scripts.write(key_names.meta(shard), _BEGIN, FORMER, UPGRADING, shard=shard)
        for shard in range(SHARDS)
    ]
    shards = {shard for shard, schema in enumerate(schemas) if schema == UPGRADING}
    if not shards:
        return
    log.warning("upgrading the store, which no server uses until it is done schema=%s", SCHEMA)
    reader = BatchReader(scripts.store)
    async for page in reader.keys():
        parsed = [at for key in page if (at := parse_key(key)) and at.shard in shards]
        for at in parsed:
            if at.kind == "list-ranges":
                await _upgrade_ranges(scripts, reader, at)
        await _index_unlinked(scripts, [at for at in parsed if at.kind == "key"])
    for shard in sorted(shards):
        await scripts.write(key_names.meta(shard), _END, UPGRADING, SCHEMA, shard=shard)
    log.info("upgraded the store schema=%s", SCHEMA)


async def _upgrade_ranges(scripts: Scripts, reader: BatchReader, at: ParsedKey) -> None:
    meta = key_names.meta(at.shard)
    target = key_names.of("list-upgrade", at.workspace, at.id)
    try:
        async for page in reader.members(at.key, "set"):
            for first in range(0, len(page), _STEP):
                part = page[first : first + _STEP]
                await scripts.write(at.key, _MOVE, meta, UPGRADING, target, *part, shard=at.shard)
    except WrongKeyType:
        return  # it was upgraded before
    await scripts.write(at.key, _SWAP, meta, UPGRADING, target, shard=at.shard)


async def _index_unlinked(scripts: Scripts, keys: Sequence[ParsedKey]) -> None:
    """Index those of the API keys that have no allow list."""
    by_workspace: dict[str, list[ParsedKey]] = {}
    for at in keys:
        by_workspace.setdefault(at.workspace, []).append(at)
    for workspace, group in by_workspace.items():
        index = key_names.of("unlinked", workspace)
        shard, prefix = group[0].shard, key_names.of("key", workspace)
        for first in range(0, len(group), _STEP):
            ids = [at.id for at in group[first : first + _STEP]]
            await scripts.write(
                index, _INDEX, key_names.meta(shard), UPGRADING, prefix, *ids, shard=shard
            )
