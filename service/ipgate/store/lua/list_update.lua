-- `set`: the fields to change. With `span`, ARGV[2] replaces the ranges.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(key) then return refuse('NOT_FOUND', args.name) end
if etag_differs(key) then return refuse('ETAG', args.name) end
local folded = args.set.folded
if folded then
  local holder = call('HGET', workspace .. ':list-names', folded)
  if holder and holder ~= args.id then return refuse('NAME_TAKEN', args.set.display_name) end
end
if args.validate_only then return done(views.list(args.id)) end
commit(args.span and 'list' or 'list_text', args.id)
if folded then
  call('HDEL', workspace .. ':list-names', call('HGET', key, 'folded'))
  call('HSET', workspace .. ':list-names', folded, args.id)
end
for field, value in pairs(args.set) do call('HSET', key, field, value) end
if args.span then
  call('DEL', key .. ':ranges')
  local ranges = {}
  for range in words() do ranges[#ranges + 1] = range end
  in_batches('SADD', key .. ':ranges', ranges)
  call('HSET', key, 'span', args.span, 'ranges_tip', args.tip)
end
stamp(key)
return done(views.list(args.id))
