-- Announces that the credential of a key is known again, since its index entry was put back. `live`
-- tells whether the key is still the one whose creation was `indexed`.
local key = api_key(args.id)
local live = is_live(key) and call('HGET', key, 'indexed') == args.indexed
if live then commit('keys', args.id, args.digest) end
return done({ live = live })
