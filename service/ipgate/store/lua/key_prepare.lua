-- First of three steps of a rotation: takes the right to make it, which `tip` marks; a later rotation replaces it.
-- `set`: what it will change besides the credential.
local key = api_key(args.id)
if not is_live(key) then return reject('NOT_FOUND', args.name) end
if etag_differs(key) then return reject('ETAG', args.name) end
if has_previous(key) then return reject('PREVIOUS_WORKS', args.name) end
if not args.validate_only then
  call('HSET', key, 'reserved', args.tip, 'reserved_at', seconds(), 'coming', args.digest)
end
return done(views.key(args.id))
