-- What a decision needs, as flat arrays: the shard's epoch, rev and tip, and the facts.
-- `kind` key: etag, digest, disabled, expire, linked lists. workspace: etag, require, default.
-- list: etag, ranges tip, number of linked keys, and the ranges where they are few, as one text, since
-- a client would decode an array of many in one go. token: id, role, workspace, expire; the digest of
-- the root token is no token's, and is answered as the one of root. root: that digest.
local head = { meta[1], meta[2], meta[3] }
if args.kind == 'key' then
  local key = api_key(args.id)
  return { head, call('HMGET', key, 'etag', 'digest', 'disabled', 'expire'), call('SMEMBERS', key .. ':lists') }
elseif args.kind == 'workspace' then
  return { head, call('HMGET', workspace_key(), 'etag', 'require', 'default_on', 'default') }
elseif args.kind == 'list' then
  local key = list_key(args.id)
  local few = call('SCARD', key .. ':ranges') <= args.few
  return { head, call('HMGET', key, 'etag', 'ranges_tip'), call('ZCARD', key .. ':keys'),
    few and table.concat(call('SMEMBERS', key .. ':ranges'), ' ') or false }
elseif args.kind == 'token' then
  if call('GET', args.prefix .. 'root') == args.digest then return { head, { 'root', '<root>', 'ROOT', '', '' } } end
  return { head, call('HMGET', token_key(args.digest), 'etag', 'id', 'role', 'workspace', 'expire') }
end
if args.kind == 'root' then return { head, call('GET', args.prefix .. 'root') } end
return { head }
