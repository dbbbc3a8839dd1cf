-- With `force`, unlinks the list's keys and turns the default off in the same change.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local default, default_on, require, report = unpack(call('HMGET', workspace, 'default', 'default_on', 'require', 'report'))
local is_default = default == args.id
local is_applied = is_default and default_on == '1'
local linked = call('ZCARD', key .. ':keys')
if not args.force and (linked > 0 or is_applied) then
  return reject('IN_USE', { linked = linked, default = is_applied, keys = call('ZRANGE', key .. ':keys', 0, 98) })
end
if linked > args.most then return reject('TOO_MANY_LINKS', { linked = linked, most = args.most }) end
local default_after = is_applied and '0' or default_on
local open_before, open_after = opens_unlinked(default_on, require, report), opens_unlinked(default_after, require, report)
local keys, last, opened = call('ZRANGE', key .. ':keys', 0, -1), {}, {}
for _, id in ipairs(keys) do
  local count, reports = call('SCARD', api_key(id) .. ':lists'), call('HGET', api_key(id), 'report')
  if count == 1 then last[#last + 1] = id end
  if is_open(reports, count > 1, open_after) and not is_open(reports, true, open_before) then opened[#opened + 1] = id end
end
local access = unlinked_access(default_after, require)
local effect = unlinking(last, access, opened)
if is_applied then effect.unlinked_access = access end
if open_after and not open_before then effect.unrestricted_keys = affected_unlinked(opened) end
if is_applied and access == 'CLOSED' then effect.closed_keys = affected_unlinked(last) end
if not args.allow_unrestricted and effect.unrestricted_keys.count > 0 then
  return reject('UNRESTRICTED', { keys = effect.unrestricted_keys })
end
local view = views.list(args.id)
if args.validate_only then return done(view, effect) end
commit('list_deleted', args.id)
for _, id in ipairs(keys) do
  call('SREM', api_key(id) .. ':lists', args.id)
  set_unlinked(id, call('SCARD', api_key(id) .. ':lists') == 0)
  stamp(api_key(id))
end
if is_default then
  call('HSET', workspace, 'default', '', 'default_on', '0')
  stamp(workspace)
end
free_name(args.id)
unindex('list', args.id)
call('ZREM', workspace .. ':lists', args.id)
call('ZREM', workspace .. ':ipv6-lists', args.id)
call('UNLINK', key, key .. ':ranges', key .. ':keys')
return done(view, effect)
