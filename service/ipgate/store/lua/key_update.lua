-- `set`: the fields to change.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
local before, after, effect = call('HGET', key, 'report'), args.set.report, {}
if after == '1' and before ~= '1' and call('SCARD', key .. ':lists') > 0 then
  effect.unrestricted_keys = affected({ args.id })
  if not args.allow_unrestricted then
    return reject('UNRESTRICTED', { keys = affected({ args.id }), report_only = true })
  end
end
if args.validate_only or is_same(key, args.set) then return done(views.key(args.id), effect) end
commit('keys', args.id)
unindex('key', args.id)
set_fields(key, args.set)
index('key', args.id)
stamp(key)
return done(views.key(args.id), effect)
