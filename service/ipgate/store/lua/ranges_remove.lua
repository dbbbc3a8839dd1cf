-- ARGV[2]: the ranges to remove, each of which the list must have as written.
local key = list_key(args.id)

-- `-RANGE>LENGTH`, where LENGTH is that of the most specific range that holds RANGE and stays.
local function told(range, leaving)
  local a, b, c, d, length = string.match(range, '^(%d+)%.(%d+)%.(%d+)%.(%d+)/?(%d*)$')
  local base = ((a * 256 + b) * 256 + c) * 256 + d
  for wider = (tonumber(length) or 32) - 1, 0, -1 do
    local at = base - base % 2 ^ (32 - wider)
    local holder = string.format('%d.%d.%d.%d/%d', math.floor(at / 16777216),
      math.floor(at / 65536) % 256, math.floor(at / 256) % 256, at % 256, wider)
    if not leaving[holder] and call('HEXISTS', key .. ':ranges', holder) == 1 then
      return '-' .. range .. '>' .. wider
    end
  end
  return '-' .. range
end

if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local old, missing = {}, {}
for range in words() do
  local known = call('HEXISTS', key .. ':ranges', range) == 1
  local into = known and old or missing
  into[#into + 1] = range
end
if #missing > 0 then return reject('MISSING_RANGES', { unpack(missing, 1, math.min(#missing, 100)) }) end
local count = call('HLEN', key .. ':ranges') - #old
if count < 1 then return reject('EMPTY', args.name) end
local view = views.list(args.id)
view.range_count = count
local effect = { ranges_removed = affected(old) }
if args.validate_only then return done(view, effect) end
local telling = {}
if #old <= most_told then
  local leaving = {}
  for _, range in ipairs(old) do leaving[range] = true end
  for _, range in ipairs(old) do telling[#telling + 1] = told(range, leaving) end
end
commit('list', args.id, nil, table.concat(telling, ' '))
remove_ranges(key .. ':ranges', old)
call('HSET', key, 'ranges_tip', args.tip)
stamp(key)
return done(views.list(args.id), effect)
