-- The stored values of some `ranges` of a list; false for one that it does not have.
local key = list_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
return done({ values = call('HMGET', key .. ':ranges', unpack(args.ranges)) })
