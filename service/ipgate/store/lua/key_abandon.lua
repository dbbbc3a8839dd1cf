-- Removes the reservation `reserved` of a creation that never came to its end: an old one, or the
-- caller's own (`mine`).
local key = api_key(args.id)
local dead = args.mine or not is_reserved(key)
if call('HGET', key, 'reserved') == args.reserved and not is_live(key) and dead then call('DEL', key) end
return done()
