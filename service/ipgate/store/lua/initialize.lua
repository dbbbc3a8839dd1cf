-- Sets up a shard that has no epoch yet; leaves any other alone. Needs `initial`, which lets it run
-- where the other scripts refuse to.
if not meta[1] then
  call('HSET', KEYS[1], 'schema', args.schema, 'epoch', args.epoch, 'rev', '0', 'tip', args.tip)
end
return call('HMGET', KEYS[1], 'schema', 'epoch', 'rev', 'tip')
