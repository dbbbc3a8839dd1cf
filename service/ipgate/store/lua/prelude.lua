-- What every script shares. KEYS[1]: the shard's meta, KEYS[2]: its changes. ARGV[1]: arguments as
-- JSON, `prefix` (of all the shard's keys) among them. Other keys are built from the prefix: they
-- share the hash tag of the declared ones, and some (the keys linked to a list) are known only here.
local args = cjson.decode(ARGV[1])
local call = redis.call

local function workspace_key() return args.prefix .. 'ws:' .. args.workspace end
local function list_key(id) return workspace_key() .. ':list:' .. id end
local function api_key(id) return workspace_key() .. ':key:' .. id end
local function token_key(digest) return args.prefix .. 'token:' .. digest end
local function token_index(workspace) return args.prefix .. 'ws-tokens:' .. workspace end

-- A change that waited too long on its way is not made any more: its sender may rely on that.
if args.not_after then
  local time = call('TIME')
  if time[1] + time[2] / 1000000 > args.not_after then return redis.error_reply('TOO_LATE the change came after its deadline') end
end

-- While its slot is moved from node to node key by key, a script would find a part of its keys gone:
-- on the node that gives them away, and on the one that takes them. For two keys that never exist both
-- fail, so no script goes beyond this line.
call('EXISTS', args.prefix .. 'nothing', args.prefix .. 'nowhere')

local meta = call('HMGET', KEYS[1], 'history', 'rev', 'tip', 'schema')

local function reject(code, detail)
  return cjson.encode({ rejected = code, detail = detail })
end

local function stamp(key)
  call('HSETNX', key, 'created', args.now)
  call('HSET', key, 'updated', args.now, 'etag', args.tip, 'rev', string.format('%.0f', meta[2]))
end

-- A key reserved but not yet created, or deleted but not yet cleaned up, has no etag.
local function is_live(key) return call('HEXISTS', key, 'etag') == 1 end

-- The resource that a change is about, by `args.audit`: its key when the change begins, and its attributes then.
local audited

local audited_keys = {
  workspace = workspace_key,
  list = function() return list_key(args.id) end,
  key = function() return api_key(args.id) end,
  token = function() return token_key(args.digest or call('HGET', args.prefix .. 'token-ids', args.id)) end,
  root = function() return nil end, -- it has no attributes
}

local function attributes(key)
  local map = {}
  if key and is_live(key) then
    for i, value in ipairs(call('HMGET', key, unpack(args.audit.fields))) do
      if value then map[args.audit.fields[i]] = value end
    end
  end
  return map
end

-- Begins the writing part: announces the change and counts it. Always the first write of a script,
-- so that a store that rejects it rejects the whole change. `ranges`: how those of a list change.
local function commit(kind, ids, digest, ranges)
  if not args.not_after then error('a change needs a deadline') end
  if not args.audit then error('a change needs an audit event') end
  local key = audited_keys[args.audit.kind]()
  audited = { key = key, before = attributes(key) }
  meta[2] = tonumber(meta[2]) + 1
  call('XADD', KEYS[2], 'MAXLEN', '~', args.history, string.format('%.0f-0', meta[2]),
    'prev', meta[3], 'tip', args.tip, 'kind', kind,
    'workspace', args.workspace or '', 'ids', ids, 'digest', digest or '', 'ranges', ranges or '')
  meta[3] = args.tip
  call('HSET', KEYS[1], 'rev', string.format('%.0f', meta[2]), 'tip', meta[3])
end

-- Seconds of the store's own clock, the one clock that all servers share.
local function seconds() return tonumber(call('TIME')[1]) end

-- A reservation that did not become a key in this time is abandoned; no creation lives so long, since
-- each of its commands is bounded by seconds.
local function is_reserved(key)
  local at = call('HGET', key, 'reserved_at')
  return at and seconds() - tonumber(at) < 60
end

-- Gives a key its one credential: `indexed` is the creation or rotation that wrote its index entry.
local function set_credential(key, digest, indexed)
  call('HDEL', key, 'reserved', 'reserved_at', 'coming', 'previous', 'previous_until', 'previous_indexed')
  call('HSET', key, 'digest', digest, 'indexed', indexed)
end

-- Whether the previous credential of a key still works.
local function has_previous(key)
  local previous, ends = unpack(call('HMGET', key, 'previous', 'previous_until'))
  return previous and previous ~= '' and (tonumber(ends) or 0) > tonumber(args.now)
end

-- The previous credential of a key, if it has one, as a digest and what its index entry names.
local function ended_credentials(key)
  local previous, indexed = unpack(call('HMGET', key, 'previous', 'previous_indexed'))
  if not previous or previous == '' then return {} end
  return { { previous, indexed } }
end

local function etag_differs(key)
  return args.etag and args.etag ~= '' and call('HGET', key, 'etag') ~= args.etag
end

local function fields(key)
  local flat, map = call('HGETALL', key), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

local function set_fields(key, map)
  for field, value in pairs(map) do call('HSET', key, field, value) end
end

local views = {}

function views.workspace(id)
  return { id = id, fields = fields(args.prefix .. 'ws:' .. id) }
end

function views.list(id)
  local key = list_key(id)
  return { id = id, fields = fields(key),
    range_count = call('HLEN', key .. ':ranges'), linked = call('ZCARD', key .. ':keys') }
end

function views.key(id)
  return { id = id, fields = fields(api_key(id)), lists = call('SMEMBERS', api_key(id) .. ':lists'),
    workspace = fields(workspace_key()) }
end

function views.token(id)
  return { id = id, fields = fields(token_key(call('HGET', args.prefix .. 'token-ids', id))) }
end

-- Frees the display name of a list that goes, or gets another: if it is kept for that list.
local function free_name(id)
  local names, folded = workspace_key() .. ':list-names', call('HGET', list_key(id), 'folded')
  if folded and call('HGET', names, folded) == id then call('HDEL', names, folded) end
end

local function json_of(map) return next(map) == nil and '' or cjson.encode(map) end

-- Characters of an audit event, about as many bytes as it takes.
local function event_size(values)
  local size = 0
  for i = 2, #values, 2 do size = size + #values[i] end
  return size
end

-- Removes the oldest audit events that are too old, or too many for the bytes: up to 400 for each new one, which together
-- have more bytes than one can have.
local function trim_audit(stream, bytes, now)
  for _ = 1, 40 do
    local oldest = call('XRANGE', stream, '-', '+', 'COUNT', 10)
    if #oldest == 0 then return end
    for _, entry in ipairs(oldest) do
      local milliseconds = tonumber(string.match(entry[1], '^%d+'))
      if bytes <= args.audit.most_bytes and milliseconds >= (now - args.audit.most_seconds) * 1000 then return end
      call('XDEL', stream, entry[1])
      bytes = call('DECRBY', args.prefix .. 'audit-bytes', event_size(entry[2]))
    end
  end
end

-- What differs between the attributes before and after a change.
local function differing(before, after)
  local former, present = {}, {}
  for field, value in pairs(before) do
    if after[field] ~= value then former[field] = value end
  end
  for field, value in pairs(after) do
    if before[field] ~= value then present[field] = value end
  end
  return former, present
end

-- The attributes of the resource after the change that `set` describes.
local function with_set(before)
  local after = {}
  for _, field in ipairs(args.audit.fields) do after[field] = args.set[field] or before[field] end
  return after
end

-- Adds the event of the change to the audit log. `details`: what it did besides, to ranges or links.
local function record(effect, details, before, after)
  local workspace = args.workspace or after.workspace or before.workspace or ''
  before, after = differing(before, after)
  local values = { 'workspace', workspace, 'actor', args.audit.actor, 'role', args.audit.role,
    'peer', args.audit.peer, 'request', args.audit.request, 'method', args.audit.method, 'resource', args.audit.resource,
    'epoch', meta[1], 'rev', string.format('%.0f', meta[2]), 'tip', meta[3],
    'before', json_of(before), 'after', json_of(after), 'effect', json_of(effect or {}), 'details', json_of(details or {}) }
  local stream = args.prefix .. 'audit'
  call('XADD', stream, '*', unpack(values))
  local bytes = call('INCRBY', args.prefix .. 'audit-bytes', event_size(values))
  trim_audit(stream, bytes, tonumber(call('TIME')[1]))
end

-- `effect`: what the change does, as domain/writing.py names it; left out where it does nothing. `details`: see
-- record. Of a resource that is there before and after, it also tells which attributes differ.
local function done(view, effect, details)
  local before, after = {}, {}
  if audited then
    before, after = audited.before, attributes(audited.key)
    record(effect, details, before, after)
  elseif args.validate_only and args.set then
    before = attributes(audited_keys[args.audit.kind]())
    after = with_set(before)
  end
  if next(before) == nil or next(after) == nil then before, after = {}, {} end
  before, after = differing(before, after)
  return cjson.encode({ epoch = meta[1], rev = tonumber(meta[2]), tip = meta[3],
    view = view or cjson.null, effect = effect, before = before, after = after })
end

-- How many names there are, and up to 100 of them.
local function affected(names)
  return { count = #names, names = { unpack(names, 1, math.min(#names, 100)) } }
end

-- The indexes by attributes in which a list or an API key is, each with its member: an id, or what orders the members, a
-- NUL and the id.
local function members_of(kind, id)
  local members = {}
  if kind == 'list' then
    local folded = call('HGET', list_key(id), 'folded')
    if folded then members['lists-by-name'] = folded .. '\0' .. id end
    return members
  end
  local folded, disabled, expire = unpack(call('HMGET', api_key(id), 'folded', 'disabled', 'expire'))
  if folded and folded ~= '' then members['keys-by-name'] = folded .. '\0' .. id end
  if disabled == '1' then members['disabled-keys'] = id end
  if expire and expire ~= '' then
    members['keys-by-expiry'] = string.rep('0', 21 - #expire) .. expire .. '\0' .. id
  end
  return members
end

local function index(kind, id)
  for name, member in pairs(members_of(kind, id)) do call('ZADD', workspace_key() .. ':' .. name, 0, member) end
end

local function unindex(kind, id)
  for name, member in pairs(members_of(kind, id)) do call('ZREM', workspace_key() .. ':' .. name, member) end
end

-- The index of API keys without an allow list.
local function unlinked_index() return workspace_key() .. ':unlinked' end

local function set_unlinked(id, is_unlinked)
  if is_unlinked then call('ZADD', unlinked_index(), 0, id) else call('ZREM', unlinked_index(), id) end
end

-- The API keys without an allow list, and the names `others` in addition.
local function affected_unlinked(others)
  local names = { unpack(others, 1, math.min(#others, 100)) }
  for _, id in ipairs(call('ZRANGE', unlinked_index(), 0, 99)) do
    if #names < 100 then names[#names + 1] = id end
  end
  return { count = call('ZCARD', unlinked_index()) + #others, names = names }
end

-- How an API key without an allow list is judged: by the workspace's fields, or these in their place.
local function unlinked_access(default_on, require)
  if default_on == '1' then return 'DEFAULT' end
  return require == '1' and 'CLOSED' or 'UNRESTRICTED'
end

-- Whether an API key without an allow list may be used from every address, by fields of its workspace.
local function opens_unlinked(default_on, require, report)
  if default_on == '1' then return report == '1' end
  return require ~= '1'
end

-- Whether an API key may be used from every address. `report`: its field, `linked`: whether it has lists,
-- `unlinked_open`: what opens_unlinked says.
local function is_open(report, linked, unlinked_open)
  if linked then return report == '1' end
  return unlinked_open
end

-- The effect of changed links: the API keys `last` lose their last allow list and are judged by `access` then,
-- and the API keys `opened` become usable from every address.
local function unlinking(last, access, opened)
  local effect = { unlinked_keys = affected(last), unrestricted_keys = affected(opened) }
  if access == 'CLOSED' then effect.closed_keys = affected(last) end
  return effect
end

-- Whether the fields `set` are stored as they are given: a change that changes nothing is none.
local function is_same(key, set)
  for field, value in pairs(set) do
    if call('HGET', key, field) ~= value then return false end
  end
  return true
end

local function set_of(members)
  local set = {}
  for _, member in ipairs(members) do set[member] = true end
  return set
end

local function in_batches(members, work)
  for first = 1, #members, 1000 do work({ unpack(members, first, math.min(first + 999, #members)) }, first - 1) end
end

-- Stores ranges in the hash `key`, with the value of each.
local function put_ranges(key, ranges, values)
  in_batches(ranges, function(part, before)
    local pairs_ = {}
    for i, range in ipairs(part) do pairs_[2 * i - 1], pairs_[2 * i] = range, values[before + i] end
    call('HSET', key, unpack(pairs_))
  end)
end

local function remove_ranges(key, ranges)
  in_batches(ranges, function(part) call('HDEL', key, unpack(part)) end)
end

-- The ranges that a request puts into a list or replaces there: `needs_ipv6` tells that some are of IPv6.
local function lacks_ipv6()
  return args.needs_ipv6 and call('HGET', workspace_key(), 'ipv6') ~= '1'
end

-- Whether the hash `staged`, which is to become the ranges of a list, has lost some or all of its `count` ranges.
local function staging_is_lost()
  return args.staged and call('HLEN', args.staged) ~= args.count
end

-- The figures of the ranges of a list, and whether it is among those with ranges of IPv6.
local function set_figures(id, addresses, blocks, ipv6_ranges)
  call('HSET', list_key(id), 'addresses', string.format('%.0f', math.min(addresses, 2 ^ 32)),
    'blocks', string.format('%.0f', math.min(blocks, 2 ^ 64)), 'ipv6_ranges', ipv6_ranges, 'ranges_tip', args.tip)
  local index = workspace_key() .. ':ipv6-lists'
  if ipv6_ranges > 0 then call('ZADD', index, 0, id) else call('ZREM', index, id) end
end

-- Lets a list have the ranges of the hash `staged`, or else changes those that it has by `put`, `values` and `drop`.
local function write_ranges(id)
  local key = list_key(id) .. ':ranges'
  if args.staged then
    call('UNLINK', key)
    call('RENAME', args.staged, key)
    call('PERSIST', key)
  else
    remove_ranges(key, args.drop)
    put_ranges(key, args.put, args.values)
  end
  set_figures(id, args.addresses, args.blocks, args.ipv6_ranges)
end

-- How many of some ranges are of IPv6.
local function count_ipv6(ranges)
  local count = 0
  for _, range in ipairs(ranges) do
    if string.find(range, ':', 1, true) then count = count + 1 end
  end
  return count
end

-- `>LENGTH`: the prefix length of the most specific range around another one that the list has after a change, ''
-- if there is none. `around`: the ranges around it, the narrowest first, which the change may add (`coming`) or
-- remove (`leaving`).
local function outer(key, around, coming, leaving)
  for _, range in ipairs(around) do
    if not leaving[range] and (coming[range] or call('HEXISTS', key, range) == 1) then
      return '>' .. string.match(range, '/(%d+)$')
    end
  end
  return ''
end

-- How the feed describes ranges that were added or changed (domain/list_patch.py). `times`: when each counts,
-- '' for always. Without `around` it does not describe them, and servers load the list again.
local function described(key, ranges, indexes)
  if not args.around then return '' end
  local words, coming = {}, set_of(ranges)
  for _, i in ipairs(indexes) do
    local word = '+' .. ranges[i]
    if args.times[i] ~= '' then word = word .. outer(key, args.around[i], coming, {}) .. '@' .. args.times[i] end
    words[#words + 1] = word
  end
  return table.concat(words, ' ')
end

-- What the audit log holds of changed ranges: up to 100, and 16,000 bytes of them, each with its values before and
-- after; false for none.
local function changed_ranges(ranges, before, after)
  local changes, bytes = {}, 0
  for i = 1, math.min(#ranges, 100) do
    bytes = bytes + #ranges[i] + #(before[i] or '') + #(after[i] or '')
    if bytes > 16000 then break end
    changes[i] = { ranges[i], before[i] or false, after[i] or false }
  end
  return { ranges = changes }
end

-- Which of `wanted` are not among `present`, and which of those are not wanted.
local function difference(present, wanted)
  local added, removed, is_present, is_wanted = {}, {}, set_of(present), set_of(wanted)
  for _, member in ipairs(wanted) do
    if not is_present[member] then added[#added + 1] = member end
  end
  for _, member in ipairs(present) do
    if not is_wanted[member] then removed[#removed + 1] = member end
  end
  return added, removed
end

-- An older version that imported into the store may have left another schema.
if meta[4] ~= args.schema then meta[1] = false end
if not meta[1] and not args.initial then return reject('NO_STORE', '') end
