-- ARGV[2]: the ranges. `fields`: those of the list, the folded name among them.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(workspace) then return reject('NOT_FOUND', args.parent) end
if is_live(key) then return reject('EXISTS', args.name) end
local holder = call('HGET', workspace .. ':list-names', args.fields.folded)
if holder then return reject('NAME_TAKEN', { display_name = args.fields.display_name, holder = holder }) end
if call('ZCARD', workspace .. ':lists') >= args.limit then return reject('LIMIT_WORKSPACE_LISTS', args.limit) end
local ranges = as_list(words())
local effect = { ranges_added = affected(ranges) }
if args.validate_only then return done(nil, effect) end
commit('list', args.id)
call('HSET', key, 'ranges_tip', args.tip)
set_fields(key, args.fields)
stamp(key)
-- A list of that id that was lost may have left ranges behind: they must not come back with this one.
call('DEL', key .. ':ranges')
add_ranges(key .. ':ranges', ranges)
call('ZADD', workspace .. ':lists', 0, args.id)
call('HSET', workspace .. ':list-names', args.fields.folded, args.id)
return done(views.list(args.id), effect)
