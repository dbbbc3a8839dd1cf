local key = workspace_key()
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local lists, keys = call('ZCARD', key .. ':lists'), call('ZCARD', key .. ':keys')
if lists + keys > 0 then return reject('NOT_EMPTY', { lists = lists, keys = keys, tokens = 0 }) end
local view = views.workspace(args.workspace)
if args.validate_only then return done(view) end
commit('workspace', '')
call('DEL', key, unlinked_index(), key .. ':ipv6-lists', key .. ':lists-by-name', key .. ':keys-by-name',
  key .. ':disabled-keys', key .. ':keys-by-expiry')
call('ZREM', args.prefix .. 'workspaces', args.workspace)
return done(view)
