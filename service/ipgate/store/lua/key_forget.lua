-- Removes what is left of the key whose deletion was `deleted`, unless the id was taken again.
if call('HGET', api_key(args.id), 'deleted') == args.deleted then call('DEL', api_key(args.id)) end
return done()
