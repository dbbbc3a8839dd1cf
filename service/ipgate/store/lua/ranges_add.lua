-- ARGV[2]: the ranges to add. The field `span` is an upper bound of the addresses covered: adding
-- counts the new ranges in full. Where the bound passes the limit, the caller computes the exact
-- `span` of the list as it was at the etag `expected` with the new ranges, and asks again.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local new, span = {}, tonumber(call('HGET', key, 'span'))
for range in words() do
  if call('HEXISTS', key .. ':ranges', range) == 0 then
    new[#new + 1] = range
    span = span + 2 ^ (32 - (string.match(range, '/(%d+)') or 32))
  end
end
if #new == 0 then return done(views.list(args.id)) end
if args.span then
  if call('HGET', key, 'etag') ~= args.expected then return reject('MOVED', args.name) end
  span = args.span
elseif span > args.span_limit and not args.allow_broad then
  return reject('SPAN', args.name)
end
local count = call('HLEN', key .. ':ranges') + #new
if count > args.limit then return reject('LIMIT_RANGES', { count = count, limit = args.limit }) end
local view = views.list(args.id)
view.range_count = count
local effect = { ranges_added = affected(new) }
if args.validate_only then return done(view, effect) end
commit('list', args.id, nil, #new <= most_told and '+' .. table.concat(new, ' +') or '')
add_ranges(key .. ':ranges', new)
call('HSET', key, 'span', string.format('%.0f', span), 'ranges_tip', args.tip)
stamp(key)
return done(views.list(args.id), effect)
