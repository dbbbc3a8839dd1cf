-- First of three steps of creating a key: takes the id, which nobody sees yet. `tip` marks whose
-- reservation it is; a later one replaces an earlier one that never came to its end.
local key = api_key(args.id)
if not is_live(workspace_key()) then return reject('NOT_FOUND', args.parent) end
if is_live(key) then return reject('EXISTS', args.name) end
if call('ZCARD', workspace_key() .. ':keys') >= args.limit then return reject('LIMIT_KEYS', args.limit) end
if args.validate_only then return done() end
call('DEL', key)
call('HSET', key, 'reserved', args.tip, 'reserved_at', seconds(), 'coming', args.digest)
return done()
