-- `set`: the fields to change. With `span`, ARGV[2] replaces the ranges.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local folded = args.set.folded
if folded then
  local holder = call('HGET', workspace .. ':list-names', folded)
  if holder and holder ~= args.id then
    return reject('NAME_TAKEN', { display_name = args.set.display_name, holder = holder })
  end
end
local added, removed = {}, {}
if args.span then added, removed = difference(call('HKEYS', key .. ':ranges'), as_list(words())) end
local ranges_change = #added + #removed > 0
local effect = { ranges_added = affected(added), ranges_removed = affected(removed) }
if args.validate_only or (is_same(key, args.set) and not ranges_change) then
  return done(views.list(args.id), effect)
end
commit(ranges_change and 'list' or 'list_text', args.id)
if folded then
  free_name(args.id)
  call('HSET', workspace .. ':list-names', folded, args.id)
end
set_fields(key, args.set)
if ranges_change then
  add_ranges(key .. ':ranges', added)
  remove_ranges(key .. ':ranges', removed)
  call('HSET', key, 'span', args.span, 'ranges_tip', args.tip)
end
stamp(key)
return done(views.list(args.id), effect)
