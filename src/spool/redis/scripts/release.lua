-- Ends the lease of this token, if it still holds.
if redis.call('GET', LEAD) == ARGV[1] then redis.call('DEL', LEAD) end
return 1
