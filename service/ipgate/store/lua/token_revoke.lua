-- `confined_to`: the workspace to which the caller is confined, '' for none.
local digest = call('HGET', args.prefix .. 'token-ids', args.id)
if not digest then return reject('NOT_FOUND', args.name) end
local key = token_key(digest)
local workspace = call('HGET', key, 'workspace')
if args.confined_to ~= '' and workspace ~= args.confined_to then return reject('NOT_FOUND', args.name) end
local view = views.token(args.id)
if args.validate_only then return done(view) end
commit('token', '', digest)
call('DEL', key)
call('HDEL', args.prefix .. 'token-ids', args.id)
call('ZREM', args.prefix .. 'tokens', args.id)
call('ZREM', token_index(workspace), args.id)
return done(view)
