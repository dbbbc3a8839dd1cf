-- The key is gone for good when this has run; what is left of it has only its digest, so that the
-- index entry that still points to it can be found and removed. `ended`: those to remove.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local view = views.key(args.id)
if args.validate_only then return done(view) end
local digest, indexed = unpack(call('HMGET', key, 'digest', 'indexed'))
local ended = ended_credentials(key)
ended[#ended + 1] = { digest, indexed }
commit('keys', args.id, digest)
for _, id in ipairs(call('SMEMBERS', key .. ':lists')) do
  call('ZREM', list_key(id) .. ':keys', args.id)
end
call('ZREM', workspace_key() .. ':keys', args.id)
set_unlinked(args.id, false)
unindex('key', args.id)
call('DEL', key, key .. ':lists')
call('HSET', key, 'digest', digest, 'deleted', args.tip)
view.ended = ended
return done(view)
