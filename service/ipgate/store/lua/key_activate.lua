-- Last step of creating a key, when the digest index is in place: the key becomes visible with its `fields`,
-- and the change that makes its credential known is announced.
local key = api_key(args.id)
if not is_live(workspace_key()) then return reject('NOT_FOUND', args.parent) end
if call('HGET', key, 'reserved') ~= args.tip or not is_reserved(key) then return reject('RESERVATION', args.name) end
if call('ZCARD', workspace_key() .. ':keys') >= args.limit then return reject('LIMIT_KEYS', args.limit) end
commit('keys', args.id, args.digest)
set_credential(key, args.digest, args.tip)
set_fields(key, args.fields)
stamp(key)
index('key', args.id)
call('ZADD', workspace_key() .. ':keys', 0, args.id)
set_unlinked(args.id, call('SCARD', key .. ':lists') == 0)
return done(views.key(args.id))
