-- Last step of a rotation, when the index entry of the new credential is in place: `digest` becomes that of the key. The
-- former one works until `previous_until`, in ns since 1970; '' if it ends now.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
if has_previous(key) then return reject('PREVIOUS_WORKS', args.name) end
if call('HGET', key, 'reserved') ~= args.tip or not is_reserved(key) then return reject('ROTATION', args.name) end
local digest, indexed = unpack(call('HMGET', key, 'digest', 'indexed'))
local ended = ended_credentials(key)
if args.previous_until == '' then ended[#ended + 1] = { digest, indexed } end
commit('keys', args.id, args.digest)
set_credential(key, args.digest, args.tip)
if args.previous_until ~= '' then
  call('HSET', key, 'previous', digest, 'previous_indexed', indexed, 'previous_until', args.previous_until)
end
stamp(key)
local view = views.key(args.id)
view.ended = ended
return done(view)
