-- `set`: the fields to change. With `expected`, the etag at which the list was read, the ranges are looked at, too: with
-- `addresses`, they change (write_ranges). `effect`: what that does.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
if args.expected and call('HGET', key, 'etag') ~= args.expected then return reject('MOVED', args.name) end
if lacks_ipv6() then return reject('IPV6_OFF', args.name) end
local folded = args.set.folded
if folded then
  local holder = call('HGET', workspace .. ':list-names', folded)
  if holder and holder ~= args.id then
    return reject('NAME_TAKEN', { display_name = args.set.display_name, holder = holder })
  end
end
if args.validate_only or (is_same(key, args.set) and not args.addresses) then
  return done(views.list(args.id), args.effect)
end
if staging_is_lost() then return reject('STAGING_LOST', args.name) end
commit(args.addresses and 'list' or 'list_text', args.id)
if folded then
  free_name(args.id)
  call('HSET', workspace .. ':list-names', folded, args.id)
end
if folded then unindex('list', args.id) end
set_fields(key, args.set)
if folded then index('list', args.id) end
if args.addresses then write_ranges(args.id) end
stamp(key)
return done(views.list(args.id), args.effect, args.changes and { ranges = args.changes })
