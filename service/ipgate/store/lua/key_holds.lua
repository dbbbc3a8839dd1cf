-- Whether the digest index entry that the creation or rotation `owner_tip` of a key wrote is in use: it is that of a
-- credential of the key, also of one that has ended, or of one that is just being made.
local key = api_key(args.id)
local digest, indexed, previous, previous_indexed, coming, reserved =
  unpack(call('HMGET', key, 'digest', 'indexed', 'previous', 'previous_indexed', 'coming', 'reserved'))
local function is_it(held, tip) return held == args.digest and tip == args.owner_tip end
local held = is_live(key) and (is_it(digest, indexed) or is_it(previous, previous_indexed))
return done({ held = held or (is_it(coming, reserved) and is_reserved(key) or false) })
