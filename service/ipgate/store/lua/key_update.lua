-- `set`: the fields to change.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
if args.validate_only or is_same(key, args.set) then return done(views.key(args.id)) end
commit('keys', args.id)
set_fields(key, args.set)
stamp(key)
return done(views.key(args.id))
