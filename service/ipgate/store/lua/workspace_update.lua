-- `set`: the fields to change. A default list that is named must exist.
local key = workspace_key()
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local default = args.set.default
if default and default ~= '' and not is_live(list_key(default)) then return reject('NOT_FOUND', args.default_name) end
if args.set.ipv6 == '0' then
  local count = call('ZCARD', key .. ':ipv6-lists')
  if count > 0 then return reject('IPV6_IN_USE', { count = count, lists = call('ZRANGE', key .. ':ipv6-lists', 0, 9) }) end
end
local default_on, require, report = unpack(call('HMGET', key, 'default_on', 'require', 'report'))
local new_on, new_require, new_report = args.set.default_on or default_on, args.set.require or require, args.set.report or report
local effect, access = {}, unlinked_access(new_on, new_require)
if access ~= unlinked_access(default_on, require) then effect.unlinked_access = access end
if opens_unlinked(new_on, new_require, new_report) and not opens_unlinked(default_on, require, report) then
  effect.unrestricted_keys = affected_unlinked({})
  if effect.unrestricted_keys.count > 0 and not args.allow_unrestricted then
    return reject('UNRESTRICTED', { keys = effect.unrestricted_keys })
  end
end
if effect.unlinked_access == 'CLOSED' then effect.closed_keys = affected_unlinked({}) end
if args.validate_only or is_same(key, args.set) then return done(views.workspace(args.workspace), effect) end
commit('workspace', '')
set_fields(key, args.set)
stamp(key)
return done(views.workspace(args.workspace), effect)
