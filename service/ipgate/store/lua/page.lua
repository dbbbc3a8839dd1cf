-- A page of an index: views of the `size` first members from `low` to `high`, as ZRANGE takes them. A member is an id, or
-- what orders the members, a NUL and the id. With `owner`, the index belongs to a resource that must exist. `more` tells whether
-- there is a next page, `total` how many members there are.
if args.owner and not is_live(args.owner) then return reject('NOT_FOUND', args.name) end
local members = call('ZRANGE', args.index, args.low, args.high, 'BYLEX', 'LIMIT', 0, args.size + 1)
local more = #members > args.size
if more then table.remove(members) end
local items = {}
for i, member in ipairs(members) do items[i] = views[args.kind](string.match(member, '[^%z]*$')) end
return done({ items = items, members = members, more = more, total = call('ZCARD', args.index) })
