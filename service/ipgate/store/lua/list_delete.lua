-- With `force`, unlinks the list's keys and turns the default off in the same change.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(key) then return refuse('NOT_FOUND', args.name) end
if etag_differs(key) then return refuse('ETAG', args.name) end
local default = call('HMGET', workspace, 'default', 'default_on')
local is_default = default[1] == args.id
local linked = call('ZCARD', key .. ':keys')
if not args.force and (linked > 0 or (is_default and default[2] == '1')) then
  return refuse('IN_USE', { linked = linked, default = is_default and default[2] == '1',
    keys = call('ZRANGE', key .. ':keys', 0, 98) })
end
if linked > args.most then return refuse('TOO_MANY_LINKS', { linked = linked, most = args.most }) end
if args.validate_only then return done() end
commit('list_deleted', args.id)
for _, id in ipairs(call('ZRANGE', key .. ':keys', 0, -1)) do
  call('SREM', api_key(id) .. ':lists', args.id)
  stamp(api_key(id))
end
if is_default then
  call('HSET', workspace, 'default', '', 'default_on', '0')
  stamp(workspace)
end
call('HDEL', workspace .. ':list-names', call('HGET', key, 'folded'))
call('ZREM', workspace .. ':lists', args.id)
call('DEL', key, key .. ':ranges', key .. ':keys')
return done()
