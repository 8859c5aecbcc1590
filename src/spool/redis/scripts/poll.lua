-- Renews the lease. Returns the newest sequence number and the number of operators' changes, and also the origins with
-- their gates if one of the two numbers has changed.
if not leads(ARGV[1]) then return 0 end
local c = redis.call('HMGET', C, 'seq', 'ops')
local seq, ops = c[1] or '0', c[2] or '0'
if seq == ARGV[2] and ops == ARGV[3] then return { seq, ops } end
local known, refused = origins()
if refused then return refused end
return { seq, ops, gates(known) }
