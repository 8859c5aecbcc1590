-- The overview for an operator.
local known, refused = origins()
if refused then return refused end
local lengths = {}
for n = 1, known do lengths[n] = redis.call('XLEN', queue(n)) end
return {
  gates(known), lengths, redis.call('HGETALL', STATUSES), redis.call('GET', LEAD),
  redis.call('HMGET', C, 'seq', 'again', 'del', 'dead', 'exp', 'drop'), redis.call('XLEN', DEAD),
}
