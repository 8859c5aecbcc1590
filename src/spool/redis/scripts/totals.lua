-- The counters, and the oldest entry of each origin.
local known, refused = origins()
if refused then return refused end
local pending, heads = 0, {}
for n = 1, known do
  pending = pending + redis.call('XLEN', queue(n))
  local first = redis.call('XRANGE', queue(n), '-', '+', 'COUNT', 1)[1]
  if first then
    local found = fields(first)
    heads[#heads + 1] = { string.match(first[1], '^%d+'), found.a, found.s }
  end
end
local p, fields_of = ARGV[1], {}
for field in string.gmatch('adxeob', '%a') do fields_of[#fields_of + 1] = p .. ':' .. field end
return {
  redis.call('HMGET', C, 'acc', 'del', 'dead', 'exp', 'drop', 'bytes', 'lost', 'v'),
  pending, heads, redis.call('HMGET', PRODUCERS, unpack(fields_of)), redis.call('LRANGE', RECENT, 0, 999),
}
