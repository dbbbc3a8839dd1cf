-- Replaces the lists that a key is linked to by `lists`, in one change. `list_names`: their names.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local missing = {}
for i, id in ipairs(args.lists) do
  if not is_live(list_key(id)) then missing[#missing + 1] = args.list_names[i] end
end
if #missing > 0 then return reject('NOT_FOUND', missing) end
local added, removed = difference(key .. ':lists', args.lists)
local last = {}
if #args.lists == 0 and #removed > 0 then last[1] = args.id end
local access = unlinked_access(unpack(call('HMGET', workspace_key(), 'default_on', 'require')))
if #last > 0 and access == 'UNRESTRICTED' and not args.allow_unrestricted then
  return reject('UNRESTRICTED', { keys = affected(last) })
end
local effect = unlinking(last, access)
if args.validate_only or #added + #removed == 0 then
  local view = views.key(args.id)
  view.lists = args.lists
  return done(view, effect)
end
commit('keys', args.id)
for _, id in ipairs(added) do
  call('SADD', key .. ':lists', id)
  call('ZADD', list_key(id) .. ':keys', 0, args.id)
end
for _, id in ipairs(removed) do
  call('SREM', key .. ':lists', id)
  call('ZREM', list_key(id) .. ':keys', args.id)
end
stamp(key)
return done(views.key(args.id), effect)
