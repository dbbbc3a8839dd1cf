-- A page of an index in the order of ids: `size` views after the id `after`. With `owner`, the
-- index belongs to a resource that must exist. `more` tells whether there is a next page.
if args.owner and not is_live(args.owner) then return reject('NOT_FOUND', args.name) end
local first = args.after == '' and '-' or '(' .. args.after
local ids = call('ZRANGE', args.index, first, '+', 'BYLEX', 'LIMIT', 0, args.size + 1)
local more = #ids > args.size
if more then table.remove(ids) end
local found = {}
for i, id in ipairs(ids) do found[i] = views[args.kind](id) end
return done({ items = found, more = more })
