-- ARGV[2]: the ranges to remove, each of which the list must have as written.
local key = list_key(args.id)
if not is_live(key) then return refuse('NOT_FOUND', args.name) end
if etag_differs(key) then return refuse('ETAG', args.name) end
local old, missing = {}, {}
for range in words() do
  local known = call('SISMEMBER', key .. ':ranges', range) == 1
  local into = known and old or missing
  into[#into + 1] = range
end
if #missing > 0 then return refuse('MISSING_RANGES', { unpack(missing, 1, math.min(#missing, 100)) }) end
local count = call('SCARD', key .. ':ranges') - #old
if count < 1 then return refuse('EMPTY', args.name) end
local view = views.list(args.id)
view.range_count = count
if args.validate_only then return done(view) end
commit('list', args.id)
in_batches('SREM', key .. ':ranges', old)
call('HSET', key, 'ranges_tip', args.tip)
stamp(key)
return done(views.list(args.id))
