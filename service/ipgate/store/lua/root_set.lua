-- Sets the digest of the root token, with `replace` also where there is one; the view is the digest that
-- is there then. A change, so that every server stops to know the former token.
local key = args.prefix .. 'root'
local former = call('GET', key)
if former and not args.replace then return done({ digest = former }) end
commit('token', '', former or args.digest)
call('SET', key, args.digest)
return done({ digest = args.digest })
