-- What a decision needs, as flat arrays: the shard's epoch, rev and tip, and the facts. `fields`: those of the
-- resource that are wanted, which come after its etag.
-- `kind` key: etag, fields, linked lists. workspace, token: etag, fields.
-- list: etag, ranges tip, number of linked keys, and the ranges where they are few, as one text, since
-- a client would decode an array of many in one go. The digest of the root token is no token's: it is answered
-- as `root`. root: that digest.
local head = { meta[1], meta[2], meta[3] }
if args.kind == 'key' then
  local key = api_key(args.id)
  return { head, call('HMGET', key, 'etag', unpack(args.fields)), call('SMEMBERS', key .. ':lists') }
elseif args.kind == 'workspace' then
  return { head, call('HMGET', workspace_key(), 'etag', unpack(args.fields)) }
elseif args.kind == 'list' then
  local key = list_key(args.id)
  local few = call('HLEN', key .. ':ranges') <= args.few
  return { head, call('HMGET', key, 'etag', 'ranges_tip'), call('ZCARD', key .. ':keys'),
    few and table.concat(call('HKEYS', key .. ':ranges'), ' ') or false }
elseif args.kind == 'token' then
  if call('GET', args.prefix .. 'root') == args.digest then return { head, { 'root' } } end
  return { head, call('HMGET', token_key(args.digest), 'etag', unpack(args.fields)) }
end
if args.kind == 'root' then return { head, call('GET', args.prefix .. 'root') } end
return { head }
