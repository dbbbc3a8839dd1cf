-- `workspace_of`: the workspace that the token works for, '' for all.
if call('HEXISTS', args.prefix .. 'token-ids', args.id) == 1 then return refuse('EXISTS', args.name) end
if args.validate_only then return done() end
local key = token_key(args.digest)
commit('token', '', args.digest)
call('HSET', key, 'id', args.id, 'display_name', args.display_name, 'role', args.role,
  'workspace', args.workspace_of, 'expire', args.expire)
stamp(key)
call('HSET', args.prefix .. 'token-ids', args.id, args.digest)
call('ZADD', args.prefix .. 'tokens', 0, args.id)
call('ZADD', token_index(args.workspace_of), 0, args.id)
return done(views.token(args.id))
