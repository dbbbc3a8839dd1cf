-- Changes the values of `ranges` from those of `before` to `values`. `effect`: what that does.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local missing, changed, former, values, indexes, is_moved = {}, {}, {}, {}, {}, false
for i, range in ipairs(args.ranges) do
  local value = call('HGET', key .. ':ranges', range)
  if not value then
    missing[#missing + 1] = range
  elseif value ~= args.before[i] then
    is_moved = true
  elseif value ~= args.values[i] then
    changed[#changed + 1], former[#former + 1], values[#values + 1], indexes[#indexes + 1] = range, value, args.values[i], i
  end
end
if #missing > 0 then return reject('MISSING_RANGES', affected(missing).names) end
if is_moved then return reject('MOVED', args.name) end
if args.validate_only or #changed == 0 then return done(views.list(args.id), args.effect) end
commit('list', args.id, nil, described(key .. ':ranges', args.ranges, indexes))
put_ranges(key .. ':ranges', changed, values)
call('HSET', key, 'ranges_tip', args.tip)
stamp(key)
return done(views.list(args.id), args.effect, changed_ranges(changed, former, values))
