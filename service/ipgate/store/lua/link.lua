-- Links (`link`) or unlinks the keys `ids`. Nothing to change is no change.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local missing, changing, full, last = {}, {}, {}, {}
for _, id in ipairs(args.ids) do
  local lists = api_key(id) .. ':lists'
  if not is_live(api_key(id)) then
    missing[#missing + 1] = args.parent .. '/apiKeys/' .. id
  elseif (call('SISMEMBER', lists, args.id) == 1) ~= args.link then
    changing[#changing + 1] = id
    local count = call('SCARD', lists)
    if args.link and count >= args.limit then full[#full + 1] = args.parent .. '/apiKeys/' .. id end
    if not args.link and count == 1 then last[#last + 1] = id end
  end
end
if #missing > 0 then return reject('NOT_FOUND', missing) end
if #full > 0 then return reject('LIMIT_LISTS', { keys = full, limit = args.limit }) end
local access = unlinked_access(unpack(call('HMGET', workspace_key(), 'default_on', 'require')))
if #last > 0 and access == 'UNRESTRICTED' and not args.allow_unrestricted then
  return reject('UNRESTRICTED', { keys = affected(last) })
end
local effect = unlinking(last, access)
local view = views.list(args.id)
view.linked = view.linked + (args.link and #changing or -#changing)
if args.validate_only or #changing == 0 then return done(view, effect) end
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
return done(view, effect)
