-- What a decision needs, as flat arrays: the shard's epoch, rev and tip, and the facts. `fields`: those of the
-- resource that are wanted, which come after its etag.
-- `kind` key: etag, fields, linked lists. workspace, token: etag, fields.
-- list: etag, ranges tip, number of linked keys, and the ranges where they are few, as two texts, since
-- a client would decode an array of many in one go: those without attributes, and JSON of the others, each with
-- its value after it. The digest of the root token is no token's: it is answered
-- as `root`. root: that digest.
local head = { meta[1], meta[2], meta[3] }
if args.kind == 'key' then
  local key = api_key(args.id)
  return { head, call('HMGET', key, 'etag', unpack(args.fields)), call('SMEMBERS', key .. ':lists') }
elseif args.kind == 'workspace' then
  return { head, call('HMGET', workspace_key(), 'etag', unpack(args.fields)) }
elseif args.kind == 'list' then
  local key = list_key(args.id)
  local answer = { head, call('HMGET', key, 'etag', 'ranges_tip'), call('ZCARD', key .. ':keys'), false }
  if call('HLEN', key .. ':ranges') <= args.few then
    local flat, plain, others = call('HGETALL', key .. ':ranges'), {}, {}
    for i = 1, #flat, 2 do
      if flat[i + 1] == '' then
        plain[#plain + 1] = flat[i]
      else
        others[#others + 1], others[#others + 2] = flat[i], flat[i + 1]
      end
    end
    answer[4], answer[5] = table.concat(plain, ' '), cjson.encode(others)
  end
  return answer
elseif args.kind == 'token' then
  if call('GET', args.prefix .. 'root') == args.digest then return { head, { 'root' } } end
  return { head, call('HMGET', token_key(args.digest), 'etag', unpack(args.fields)) }
end
if args.kind == 'root' then return { head, call('GET', args.prefix .. 'root') } end
return { head }
