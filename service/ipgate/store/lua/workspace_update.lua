-- `set`: the fields to change. A default list that is named must exist.
local key = workspace_key()
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local default = args.set.default
if default and default ~= '' and not is_live(list_key(default)) then return reject('NOT_FOUND', args.default_name) end
local before, effect = unlinked_access(unpack(call('HMGET', key, 'default_on', 'require'))), {}
local after = unlinked_access(args.set.default_on or call('HGET', key, 'default_on'),
  args.set.require or call('HGET', key, 'require'))
if after ~= before then effect.unlinked_access = after end
if args.validate_only or is_same(key, args.set) then return done(views.workspace(args.workspace), effect) end
commit('workspace', '')
set_fields(key, args.set)
stamp(key)
return done(views.workspace(args.workspace), effect)
