-- Links (`link`) or unlinks the keys `ids`. Nothing to change is no change.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local default_on, require, report = unpack(call('HMGET', workspace_key(), 'default_on', 'require', 'report'))
local unlinked_open = opens_unlinked(default_on, require, report)
local missing, changing, full, last, opened = {}, {}, {}, {}, {}
for _, id in ipairs(args.ids) do
  local lists = api_key(id) .. ':lists'
  if not is_live(api_key(id)) then
    missing[#missing + 1] = args.parent .. '/apiKeys/' .. id
  elseif (call('SISMEMBER', lists, args.id) == 1) ~= args.link then
    changing[#changing + 1] = id
    local count = call('SCARD', lists)
    if args.link and count >= args.limit then full[#full + 1] = args.parent .. '/apiKeys/' .. id end
    local after = args.link and count + 1 or count - 1
    if after == 0 then last[#last + 1] = id end
    local reports = call('HGET', api_key(id), 'report')
    if is_open(reports, after > 0, unlinked_open) and not is_open(reports, count > 0, unlinked_open) then
      opened[#opened + 1] = id
    end
  end
end
if #missing > 0 then return reject('NOT_FOUND', missing) end
if #full > 0 then return reject('LIMIT_LISTS', { keys = full, limit = args.limit }) end
if #opened > 0 and not args.allow_unrestricted then
  return reject('UNRESTRICTED', { keys = affected(opened), report_only = args.link })
end
local effect = unlinking(last, unlinked_access(default_on, require), opened)
local view = views.list(args.id)
view.linked = view.linked + (args.link and #changing or -#changing)
if args.validate_only or #changing == 0 then return done(view, effect) end
commit('keys', table.concat(changing, ' '))
for _, id in ipairs(changing) do
  if args.link then
    call('SADD', api_key(id) .. ':lists', args.id)
    call('ZADD', key .. ':keys', 0, id)
  else
    call('SREM', api_key(id) .. ':lists', args.id)
    call('ZREM', key .. ':keys', id)
  end
  set_unlinked(id, call('SCARD', api_key(id) .. ':lists') == 0)
  stamp(api_key(id))
end
return done(view, effect, { [args.link and 'linked' or 'unlinked'] = affected(changing) })
