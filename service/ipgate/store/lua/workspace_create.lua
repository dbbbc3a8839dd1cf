-- `fields`: those of the workspace.
local key = workspace_key()
if is_live(key) then return reject('EXISTS', args.name) end
if args.validate_only then return done() end
commit('workspace', '')
set_fields(key, args.fields)
stamp(key)
call('ZADD', args.prefix .. 'workspaces', 0, args.workspace)
return done(views.workspace(args.workspace))
