-- Sets up a shard that has no epoch yet; leaves any other alone, also one of another schema, such as
-- one that is being imported into. Changes of an earlier life are removed, since the numbers begin again.
-- Needs `initial`, which lets it run where the other scripts fail.
local schema = meta[4]
if not meta[1] and (not schema or schema == args.schema) then
  call('DEL', KEYS[2])
  call('HSET', KEYS[1], 'schema', args.schema, 'history', args.epoch, 'rev', '0', 'tip', args.tip)
end
return call('HMGET', KEYS[1], 'schema', 'history', 'rev', 'tip')
