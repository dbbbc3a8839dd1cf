-- Removes `ranges`, each of which the list must have as written.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local missing, former = {}, {}
for i, range in ipairs(args.ranges) do
  local value = call('HGET', key .. ':ranges', range)
  if value then former[i] = value else missing[#missing + 1] = range end
end
if #missing > 0 then return reject('MISSING_RANGES', affected(missing).names) end
local count = call('HLEN', key .. ':ranges') - #args.ranges
if count < 1 then return reject('EMPTY', args.name) end
local view = views.list(args.id)
view.range_count = count
local effect = { ranges_removed = affected(args.ranges) }
if args.validate_only then return done(view, effect) end
local words, leaving = {}, set_of(args.ranges)
for i, around in ipairs(args.around or {}) do
  words[i] = '-' .. args.ranges[i] .. outer(key .. ':ranges', around, {}, leaving)
end
commit('list', args.id, nil, table.concat(words, ' '))
remove_ranges(key .. ':ranges', args.ranges)
local addresses, blocks, ipv6 = unpack(call('HMGET', key, 'addresses', 'blocks', 'ipv6_ranges'))
set_figures(args.id, addresses, blocks, ipv6 - count_ipv6(args.ranges))
stamp(key)
return done(views.list(args.id), effect, changed_ranges(args.ranges, former, {}))
