-- One resource. `kind`: a view, `key`: its Redis key.
if not is_live(args.key) then return reject('NOT_FOUND', args.name) end
return done(views[args.kind](args.id))
