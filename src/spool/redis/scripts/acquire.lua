-- Grants the lease, or returns its holder.
local known, refused = origins()
if refused then return refused end
local holder = redis.call('GET', LEAD)
if holder and holder ~= ARGV[1] then return holder end
write_when_memory_is_full()
redis.call('SET', LEAD, ARGV[1], 'PX', 5000)
if redis.call('HEXISTS', C, 'v') == 1 then
  redis.call('HINCRBY', C, 'epoch', 1)
  redis.call('HDEL', C, 'fetched')
end
redis.call('DEL', X)
return 1
