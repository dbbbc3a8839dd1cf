-- Adds `ranges` with their `values`. The fields `addresses` and `blocks` are upper bounds of what is covered: adding
-- counts the new ranges in full, by their `sizes`. Where a bound passes its limit, the caller computes the exact
-- figures of the list as it was at the etag `expected` with the new ranges, and asks again.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
if lacks_ipv6() then return reject('IPV6_OFF', args.name) end
local etag, addresses, blocks, ipv6 = unpack(call('HMGET', key, 'etag', 'addresses', 'blocks', 'ipv6_ranges'))
local new, indexes, values, differing = {}, {}, {}, {}
for i, range in ipairs(args.ranges) do
  local value = call('HGET', key .. ':ranges', range)
  if not value then
    new[#new + 1], indexes[#indexes + 1], values[#values + 1] = range, i, args.values[i]
    if string.find(range, ':', 1, true) then blocks = blocks + args.sizes[i] else addresses = addresses + args.sizes[i] end
  elseif value ~= args.values[i] then
    differing[#differing + 1] = range
  end
end
if #differing > 0 then return reject('RANGE_EXISTS', affected(differing)) end
if #new == 0 then return done(views.list(args.id)) end
addresses, blocks = tonumber(addresses), tonumber(blocks)
if args.expected then
  if etag ~= args.expected then return reject('MOVED', args.name) end
  addresses, blocks = args.addresses, args.blocks
elseif not args.allow_broad and (addresses > args.most_addresses or blocks > args.most_blocks) then
  return reject('COVERAGE', args.name)
end
local count = call('HLEN', key .. ':ranges') + #new
if count > args.limit then return reject('LIMIT_RANGES', { count = count, limit = args.limit }) end
local view = views.list(args.id)
view.range_count = count
local effect = { ranges_added = affected(new) }
if args.validate_only then return done(view, effect) end
commit('list', args.id, nil, described(key .. ':ranges', args.ranges, indexes))
put_ranges(key .. ':ranges', new, values)
set_figures(args.id, addresses, blocks, ipv6 + count_ipv6(new))
stamp(key)
return done(views.list(args.id), effect, changed_ranges(new, {}, values))
