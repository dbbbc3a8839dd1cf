-- Puts a live resource back into the indexes of its `kind` in which it is missing, frees a `name` that leads to a
-- list which does not have it, or sets whether a key is among the `unlinked` ones or a list among those with `ipv6`, or
-- the indexes by `attributes`, in one of which a `member` may be stale. Decisions do not depend on these, so it is no change.
if args.kind == 'workspace' and is_live(workspace_key()) then
  call('ZADD', args.prefix .. 'workspaces', 0, args.workspace)
elseif args.kind == 'list' and is_live(list_key(args.id)) then
  call('ZADD', workspace_key() .. ':lists', 0, args.id)
  call('HSETNX', workspace_key() .. ':list-names', call('HGET', list_key(args.id), 'folded'), args.id)
elseif args.kind == 'attributes' then
  local live = is_live(args.of == 'list' and list_key(args.id) or api_key(args.id))
  local members = live and members_of(args.of, args.id) or {}
  if members[args.index] ~= args.member then call('ZREM', workspace_key() .. ':' .. args.index, args.member) end
  if live then index(args.of, args.id) end
elseif args.kind == 'ipv6' then
  local count = tonumber(call('HGET', list_key(args.id), 'ipv6_ranges') or 0)
  local index = workspace_key() .. ':ipv6-lists'
  if is_live(list_key(args.id)) and count > 0 then call('ZADD', index, 0, args.id) else call('ZREM', index, args.id) end
elseif args.kind == 'name' then
  local names = workspace_key() .. ':list-names'
  if call('HGET', names, args.name) == args.id and call('HGET', list_key(args.id), 'folded') ~= args.name then
    call('HDEL', names, args.name)
  end
elseif args.kind == 'key' and is_live(api_key(args.id)) then
  call('ZADD', workspace_key() .. ':keys', 0, args.id)
elseif args.kind == 'unlinked' then
  set_unlinked(args.id, is_live(api_key(args.id)) and call('SCARD', api_key(args.id) .. ':lists') == 0)
elseif args.kind == 'link' and is_live(list_key(args.list)) and is_live(api_key(args.id))
  and call('SISMEMBER', api_key(args.id) .. ':lists', args.list) == 1 then
  call('ZADD', list_key(args.list) .. ':keys', 0, args.id)
elseif args.kind == 'token' and is_live(token_key(args.digest)) then
  local id, workspace = unpack(call('HMGET', token_key(args.digest), 'id', 'workspace'))
  call('HSETNX', args.prefix .. 'token-ids', id, args.digest)
  call('ZADD', args.prefix .. 'tokens', 0, id)
  call('ZADD', token_index(workspace), 0, id)
end
return done()
