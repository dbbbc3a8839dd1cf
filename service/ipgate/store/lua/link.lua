-- Links (`link`) or unlinks the keys `ids`. Nothing to change is no change.
local key = list_key(args.id)
if not is_live(key) then return refuse('NOT_FOUND', args.name) end
local missing, changing, full = {}, {}, {}
for _, id in ipairs(args.ids) do
  local lists = api_key(id) .. ':lists'
  if not is_live(api_key(id)) then
    missing[#missing + 1] = args.parent .. '/apiKeys/' .. id
  elseif (call('SISMEMBER', lists, args.id) == 1) ~= args.link then
    changing[#changing + 1] = id
    if args.link and call('SCARD', lists) >= args.limit then full[#full + 1] = args.parent .. '/apiKeys/' .. id end
  end
end
if #missing > 0 then return refuse('NOT_FOUND', missing) end
if #full > 0 then return refuse('LIMIT_LISTS', { keys = full, limit = args.limit }) end
if args.validate_only or #changing == 0 then return done() end
commit('keys', table.concat(changing, ' '))
for _, id in ipairs(changing) do
  if args.link then
    call('SADD', api_key(id) .. ':lists', args.id)
    call('ZADD', key .. ':keys', 0, id)
  else
    call('SREM', api_key(id) .. ':lists', args.id)
    call('ZREM', key .. ':keys', id)
  end
  stamp(api_key(id))
end
return done()
