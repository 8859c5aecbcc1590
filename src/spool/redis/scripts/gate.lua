-- The packed gate of an origin.
local known, refused = origins()
if refused then return refused end
local n = redis.call('HGET', C, ARGV[1])
return n and redis.call('HGET', C, 'g:' .. n) or false
