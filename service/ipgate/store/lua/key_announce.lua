-- Announces that a credential of a key is known again, since its index entry was put back. `live` tells whether it
-- is still one of the key, by the creation or rotation that `indexed` it.
local key = api_key(args.id)
local digest, indexed, previous, previous_indexed =
  unpack(call('HMGET', key, 'digest', 'indexed', 'previous', 'previous_indexed'))
local live = is_live(key) and ((digest == args.digest and indexed == args.indexed)
  or (previous == args.digest and previous_indexed == args.indexed))
if live then commit('keys', args.id, args.digest) end
return done({ live = live })
