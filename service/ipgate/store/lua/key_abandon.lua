-- Removes the reservation `reserved` of a creation that never came to its end.
local key = api_key(args.id)
if call('HGET', key, 'reserved') == args.reserved and not is_live(key) and not is_reserved(key) then
  call('DEL', key)
end
return done()
