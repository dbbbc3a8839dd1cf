-- `fields`: those of the token, its workspace among them, '' for all.
if call('HEXISTS', args.prefix .. 'token-ids', args.id) == 1 then return reject('EXISTS', args.name) end
if args.validate_only then return done() end
local key = token_key(args.digest)
commit('token', '', args.digest)
set_fields(key, args.fields)
stamp(key)
call('HSET', args.prefix .. 'token-ids', args.id, args.digest)
call('ZADD', args.prefix .. 'tokens', 0, args.id)
call('ZADD', token_index(args.fields.workspace), 0, args.id)
return done(views.token(args.id))
