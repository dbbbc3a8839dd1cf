-- With `force`, unlinks the list's keys and turns the default off in the same change.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local default, default_on, require = unpack(call('HMGET', workspace, 'default', 'default_on', 'require'))
local is_default = default == args.id
local is_applied = is_default and default_on == '1'
local linked = call('ZCARD', key .. ':keys')
if not args.force and (linked > 0 or is_applied) then
  return reject('IN_USE', { linked = linked, default = is_applied, keys = call('ZRANGE', key .. ':keys', 0, 98) })
end
if linked > args.most then return reject('TOO_MANY_LINKS', { linked = linked, most = args.most }) end
local keys, last = call('ZRANGE', key .. ':keys', 0, -1), {}
for _, id in ipairs(keys) do
  if call('SCARD', api_key(id) .. ':lists') == 1 then last[#last + 1] = id end
end
local access = unlinked_access(is_applied and '0' or default_on, require)
local effect = unlinking(last, access)
if is_applied then effect.unlinked_access = access end
-- Without an index of them, other keys without a list are looked for among the first 1,000 keys; where there
-- are more, some may have none.
local function has_unlinked()
  for _, id in ipairs(call('ZRANGE', workspace .. ':keys', 0, 999)) do
    if call('SCARD', api_key(id) .. ':lists') == 0 then return true end
  end
  return call('ZCARD', workspace .. ':keys') > 1000
end
local opens_others = is_applied and access == 'UNRESTRICTED' and has_unlinked()
if not args.allow_unrestricted and access == 'UNRESTRICTED' and (#last > 0 or opens_others) then
  return reject('UNRESTRICTED', { keys = affected(last), others = opens_others })
end
local view = views.list(args.id)
if args.validate_only then return done(view, effect) end
commit('list_deleted', args.id)
for _, id in ipairs(keys) do
  call('SREM', api_key(id) .. ':lists', args.id)
  stamp(api_key(id))
end
if is_default then
  call('HSET', workspace, 'default', '', 'default_on', '0')
  stamp(workspace)
end
free_name(args.id)
call('ZREM', workspace .. ':lists', args.id)
call('DEL', key, key .. ':ranges', key .. ':keys')
return done(view, effect)
