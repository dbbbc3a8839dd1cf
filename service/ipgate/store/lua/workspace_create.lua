local key = workspace_key()
if is_live(key) then return refuse('EXISTS', args.name) end
if args.validate_only then return done() end
commit('workspace', '')
call('HSET', key, 'display_name', args.display_name, 'require', args.require, 'default_on', '0', 'default', '')
stamp(key)
call('ZADD', args.prefix .. 'workspaces', 0, args.workspace)
return done(views.workspace(args.workspace))
