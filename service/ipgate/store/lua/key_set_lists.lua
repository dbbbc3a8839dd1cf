-- Replaces the lists that a key is linked to by `lists`, in one change. `list_names`: their names.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local missing = {}
for i, id in ipairs(args.lists) do
  if not is_live(list_key(id)) then missing[#missing + 1] = args.list_names[i] end
end
if #missing > 0 then return reject('NOT_FOUND', missing) end
local added, removed = difference(call('SMEMBERS', key .. ':lists'), args.lists)
local default_on, require, report = unpack(call('HMGET', workspace_key(), 'default_on', 'require', 'report'))
local unlinked_open, reports = opens_unlinked(default_on, require, report), call('HGET', key, 'report')
local before, last, opened = call('SCARD', key .. ':lists'), {}, {}
if #args.lists == 0 and #removed > 0 then last[1] = args.id end
if is_open(reports, #args.lists > 0, unlinked_open) and not is_open(reports, before > 0, unlinked_open) then
  opened[1] = args.id
  if not args.allow_unrestricted then
    return reject('UNRESTRICTED', { keys = affected(opened), report_only = #args.lists > 0 })
  end
end
local effect = unlinking(last, unlinked_access(default_on, require), opened)
if args.validate_only or #added + #removed == 0 then
  local view = views.key(args.id)
  view.lists = args.lists
  return done(view, effect)
end
commit('keys', args.id)
for _, id in ipairs(added) do
  call('SADD', key .. ':lists', id)
  call('ZADD', list_key(id) .. ':keys', 0, args.id)
end
for _, id in ipairs(removed) do
  call('SREM', key .. ':lists', id)
  call('ZREM', list_key(id) .. ':keys', args.id)
end
set_unlinked(args.id, #args.lists == 0)
stamp(key)
return done(views.key(args.id), effect, { lists_added = affected(added), lists_removed = affected(removed) })
