-- Enqueues dead letters again, each with this path and body, at the end. Returns the number of dead letters that existed.
local known, refused = origins()
if refused then return refused end
local accepted, done = ARGV[1], 0
local time = redis.call('TIME')
local now = text(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
for word = 2, #ARGV, 3 do
  local found = take_letter(ARGV[word])
  if found then
    local n = redis.call('HGET', D, 'u:' .. found.u)
    local seq = redis.call('HINCRBY', C, 'seq', 1)
    redis.call('XADD', queue(n), entry_id(seq), 'i', found.i, 'p', ARGV[word + 1], 'b', ARGV[word + 2], 'a', accepted,
      'o', found.o, 'n', '0', 's', now)
    add('bytes', #ARGV[word + 2])
    redis.call('SET', receipt(found.i), 'q ' .. n .. ' ' .. seq)
    done = done + 1
  end
end
return done
