-- Enqueues dead letters again, each with this path, body and `about` (see FORMAT.md), at the end. Returns the number of
-- dead letters that existed.
local known, refused = origins()
if refused then return refused end
local done = 0
for word = 1, #ARGV, 4 do
  local found = take_letter(ARGV[word])
  if found then
    local n = redis.call('HGET', C, found.u)
    local seq = redis.call('HINCRBY', C, 'seq', 1)
    redis.call('XADD', queue(n), entry_id(seq), 'i', found.i, 'p', ARGV[word + 1], 'b', ARGV[word + 2], 'a', ARGV[word + 3])
    add('again', 1)
    add('bytes', #ARGV[word + 2])
    redis.call('SET', receipt(found.i), 'q ' .. n .. ' ' .. seq)
    done = done + 1
  end
end
return done
