-- The newest sequence number, and the lowest pending one.
local known, refused = origins()
if refused then return refused end
local lowest = false
for n = 1, known do
  local first = redis.call('XRANGE', queue(n), '-', '+', 'COUNT', 1)[1]
  local seq = first and tonumber(string.match(first[1], '^%d+'))
  if seq and (not lowest or seq < lowest) then lowest = seq end
end
return { redis.call('HGET', C, 'seq') or '0', lowest and text(lowest) or false }
