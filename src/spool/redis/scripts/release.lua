-- Ends the lease of this token, if it is still valid.
if redis.call('GET', LEAD) == ARGV[1] then redis.call('DEL', LEAD) end
return 1
