-- Removes the reservation `reserved` of a creation or a rotation that never came to its end: an old one, or the
-- caller's own (`mine`).
local key = api_key(args.id)
local dead = args.mine or not is_reserved(key)
if call('HGET', key, 'reserved') == args.reserved and dead then
  if is_live(key) then call('HDEL', key, 'reserved', 'reserved_at', 'coming') else call('DEL', key) end
end
return done()
