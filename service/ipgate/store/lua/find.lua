-- Which allow lists hold an address: of `lists`, or else of the `size` first ones of the index after the id `after`.
-- `around`: the ranges that hold the address, the narrowest first. Each item is the view of a list with those of them
-- that it has, each with its value after it. `last`: the last list that was looked at.
if not is_live(workspace_key()) then return reject('NOT_FOUND', args.name) end
local ids, more = args.lists, false
if not ids then
  local first = args.after == '' and '-' or '(' .. args.after
  ids = call('ZRANGE', args.index, first, '+', 'BYLEX', 'LIMIT', 0, args.size + 1)
  more = #ids > args.size
  if more then table.remove(ids) end
end
local items = {}
for _, id in ipairs(ids) do
  local held = {}
  for i, value in ipairs(call('HMGET', list_key(id) .. ':ranges', unpack(args.around))) do
    if value then held[#held + 1], held[#held + 2] = args.around[i], value end
  end
  if #held > 0 then
    local view = views.list(id)
    view.ranges = held
    items[#items + 1] = view
  end
end
return done({ items = items, last = ids[#ids], more = more })
