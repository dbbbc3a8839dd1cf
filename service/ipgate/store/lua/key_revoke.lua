-- Ends one of two credentials of a key. Without the `current` one, the previous one is current again.
-- `set`: what that changes besides the credential.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local digest, indexed, previous, previous_indexed =
  unpack(call('HMGET', key, 'digest', 'indexed', 'previous', 'previous_indexed'))
if args.current and not has_previous(key) then return reject('ONLY_CREDENTIAL', args.name) end
local is_none = (previous or '') == ''
if args.validate_only or is_none then return done(views.key(args.id)) end
local ended = args.current and { { digest, indexed } } or ended_credentials(key)
commit('keys', args.id)
if args.current then set_credential(key, previous, previous_indexed) else set_credential(key, digest, indexed) end
stamp(key)
local view = views.key(args.id)
view.ended = ended
return done(view)
