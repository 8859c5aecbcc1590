-- The packed gate of an origin.
local known, refused = origins()
if refused then return refused end
local n = redis.call('HGET', D, 'u:' .. ARGV[1])
return n and redis.call('HGET', D, 'g:' .. n) or false
