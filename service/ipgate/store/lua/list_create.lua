-- ARGV[2]: the ranges; `span`: how many addresses they cover together.
local workspace, key = workspace_key(), list_key(args.id)
if not is_live(workspace) then return refuse('NOT_FOUND', args.parent) end
if is_live(key) then return refuse('EXISTS', args.name) end
if call('HEXISTS', workspace .. ':list-names', args.folded) == 1 then return refuse('NAME_TAKEN', args.display_name) end
if args.validate_only then return done() end
commit('list', args.id)
call('HSET', key, 'display_name', args.display_name, 'folded', args.folded,
  'description', args.description, 'span', args.span, 'ranges_tip', args.tip)
stamp(key)
local ranges = {}
for range in words() do ranges[#ranges + 1] = range end
in_batches('SADD', key .. ':ranges', ranges)
call('ZADD', workspace .. ':lists', 0, args.id)
call('HSET', workspace .. ':list-names', args.folded, args.id)
return done(views.list(args.id))
