-- The counters, and the oldest entry of each origin.
local known, refused = origins()
if refused then return refused end
local pending, heads = 0, {}
for n = 1, known do
  pending = pending + redis.call('XLEN', queue(n))
  local first = redis.call('XRANGE', queue(n), '-', '+', 'COUNT', 1)[1]
  if first then
    local found = fields(first)
    heads[#heads + 1] = { string.match(first[1], '^%d+'), found.a }
  end
end
local p = ARGV[1]
return {
  redis.call('HMGET', C, 'v', 'seq', 'again', 'del', 'dead', 'exp', 'drop', 'bytes', 'lost'),
  pending, heads, redis.call('HMGET', C, p, p .. ':d', p .. ':x', p .. ':e', p .. ':o', p .. ':b'), redis.call('LRANGE', RECENT, 0, 999),
}
