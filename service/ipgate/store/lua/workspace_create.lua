-- `fields`: those of the workspace.
local key = workspace_key()
if is_live(key) then return reject('EXISTS', args.name) end
if args.validate_only then return done() end
commit('workspace', '')
set_fields(key, args.fields)
stamp(key)
-- Another workspace may have had the id before.
local time = call('TIME')
call('HSET', key, 'audit_from', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
call('ZADD', args.prefix .. 'workspaces', 0, args.workspace)
return done(views.workspace(args.workspace))
