-- Whether the digest index entry written by the creation `owner_tip` of a key is in use: the key is
-- that one, or is just being created.
local key = api_key(args.id)
local held = call('HMGET', key, 'digest', 'indexed', 'reserved')
local live = is_live(key) and held[2] == args.owner_tip
local coming = held[3] == args.owner_tip and is_reserved(key)
return done({ held = held[1] == args.digest and (live or coming or false) })
