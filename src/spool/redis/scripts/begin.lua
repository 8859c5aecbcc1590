-- Records that the delivery of these entries begins: pairs of origin and sequence number. Or pairs of an empty origin and
-- the id, after a failover, when the entry may have another number: then its receipt has the number.
if not leads(ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do
  local n, seq
  if ARGV[i] == '' then
    n, seq = string.match(redis.call('GET', receipt(ARGV[i + 1])) or '', '^q (%d+) (%d+)$')
  else
    n, seq = redis.call('HGET', C, ARGV[i]), ARGV[i + 1]
  end
  if n and at(queue(n), seq) then redis.call('HSET', B, seq, 1) end
end
return 1
