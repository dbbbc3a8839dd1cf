-- `set`: the fields to change. A default list that is named must exist.
local key = workspace_key()
if not is_live(key) then return refuse('NOT_FOUND', args.name) end
if etag_differs(key) then return refuse('ETAG', args.name) end
local default = args.set.default
if default and default ~= '' and not is_live(list_key(default)) then return refuse('NOT_FOUND', args.default_name) end
if args.validate_only then return done(views.workspace(args.workspace)) end
commit('workspace', '')
for field, value in pairs(args.set) do call('HSET', key, field, value) end
stamp(key)
return done(views.workspace(args.workspace))
