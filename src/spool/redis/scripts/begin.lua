-- Records that the delivery of these entries begins: pairs of origin and sequence number.
if not leads(ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do
  local n = redis.call('HGET', C, ARGV[i])
  if n and at(queue(n), ARGV[i + 1]) then redis.call('HSET', B, ARGV[i + 1], 1) end
end
return 1
