-- `fields`: those of the list, the folded name among them. Its ranges: see write_ranges. `effect`: what the change does.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(workspace) then return reject('NOT_FOUND', args.parent) end
if is_live(key) then return reject('EXISTS', args.name) end
if lacks_ipv6() then return reject('IPV6_OFF', args.name) end
local holder = call('HGET', workspace .. ':list-names', args.fields.folded)
if holder then return reject('NAME_TAKEN', { display_name = args.fields.display_name, holder = holder }) end
if call('ZCARD', workspace .. ':lists') >= args.limit then return reject('LIMIT_WORKSPACE_LISTS', args.limit) end
if args.validate_only then return done(nil, args.effect) end
if staging_is_lost() then return reject('STAGING_LOST', args.name) end
commit('list', args.id)
set_fields(key, args.fields)
stamp(key)
index('list', args.id)
-- A list of that id that was lost may have left ranges behind: they must not come back with this one.
call('UNLINK', key .. ':ranges')
write_ranges(args.id)
call('ZADD', workspace .. ':lists', 0, args.id)
call('HSET', workspace .. ':list-names', args.fields.folded, args.id)
return done(views.list(args.id), args.effect, args.changes and { ranges = args.changes })
