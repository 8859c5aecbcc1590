-- The entries after a sequence number, of each origin or (`dead`) of the dead letters, at most `limit` of each.
local known, refused = origins()
if refused then return refused end
local start = '(' .. entry_id(ARGV[2])
if ARGV[1] == 'dead' then
  return { { '', redis.call('XRANGE', DEAD, start, '+', 'COUNT', ARGV[3]), {}, {} } }
end
local found = {}
for n = 1, known do
  local entries = redis.call('XRANGE', queue(n), start, '+', 'COUNT', ARGV[3])
  if #entries > 0 then
    local seqs = {}
    for i = 1, #entries do seqs[i] = string.match(entries[i][1], '^%d+') end
    found[#found + 1] = {
      redis.call('HGET', C, 'n:' .. n), entries,
      redis.call('HMGET', T, unpack(seqs)), redis.call('HMGET', B, unpack(seqs)),
    }
  end
end
return found
