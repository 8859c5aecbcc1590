-- The oldest entries of a stream after a sequence number, for the drainer: each with its last attempt, and whether its
-- delivery has begun.
if not leads(ARGV[1]) then return 0 end
local n = redis.call('HGET', C, ARGV[2])
if not n then return {} end
local entries = redis.call('XRANGE', queue(n), '(' .. entry_id(ARGV[3]), '+', 'COUNT', ARGV[4])
if #entries == 0 then return {} end
local seqs = {}
for i = 1, #entries do seqs[i] = string.match(entries[i][1], '^%d+') end
local fetched = redis.call('HGET', C, 'fetched')
local last = tonumber(seqs[#seqs])
if not fetched or tonumber(fetched) < last then redis.call('HSET', C, 'fetched', seqs[#seqs]) end
return { entries, redis.call('HMGET', T, unpack(seqs)), redis.call('HMGET', B, unpack(seqs)) }
