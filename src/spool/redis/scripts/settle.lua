-- Records settlements and gates. Only entries that still exist are counted, so that the same call may be made twice.
-- A settlement has nine arguments: fate, origin, sequence number, id, producer, bytes, the text to keep, the age and
-- latency of a delivery, and how long the receipt is kept. A gate has two.
local max_dead, settlements = tonumber(ARGV[2]), tonumber(ARGV[3])
local known, refused = origins()
if refused then return refused end
redis.call('XLEN', DEAD)
redis.call('HLEN', T)
redis.call('HLEN', B)
redis.call('HLEN', STATUSES)
redis.call('LLEN', RECENT)
for n = 1, known do redis.call('XLEN', queue(n)) end
if not leads(ARGV[1]) then return 0 end

local numbers, sums = {}, { del = 0, dead = 0, exp = 0, drop = 0, gone = 0, bytes = 0 }
local function number_of(origin)
  if numbers[origin] == nil then numbers[origin] = redis.call('HGET', C, origin) end
  return numbers[origin]
end
local function delivered(producer, recent)
  sums.del = sums.del + 1
  count(producer, 'd', 1)
  redis.call('LPUSH', RECENT, recent)
end

local word = 4
for _ = 1, settlements do
  local fate, origin, seq, id = ARGV[word], ARGV[word + 1], ARGV[word + 2], ARGV[word + 3]
  local producer, size, kept, recent = ARGV[word + 4], tonumber(ARGV[word + 5]), ARGV[word + 6], ARGV[word + 7]
  local receipt_ms = ARGV[word + 8]
  word = word + 9
  local n = number_of(origin)
  if n and fate == 'r' then
    if at(queue(n), seq) then redis.call('HSET', T, seq, kept) end
    redis.call('HDEL', B, seq)
    redis.call('HDEL', X, seq)
  elseif n then
    local entry = fate == 'x' and at(queue(n), seq)
    if redis.call('XDEL', queue(n), entry_id(seq)) == 1 then
      redis.call('HDEL', B, seq)
      redis.call('HDEL', T, seq)
      sums.gone = sums.gone + 1
      sums.bytes = sums.bytes - size
      if fate == 'd' then
        delivered(producer, recent)
      elseif fate == 'e' then
        sums.exp = sums.exp + 1
        count(producer, 'e', 1)
      else
        sums.dead = sums.dead + 1
        count(producer, 'x', 1)
        local status = string.match(kept, '^r (%S+)')
        redis.call('HINCRBY', STATUSES, status, 1)
        local letter = entry[2]
        letter[#letter + 1], letter[#letter + 2] = 'x', kept
        letter[#letter + 1], letter[#letter + 2] = 'c', status
        letter[#letter + 1], letter[#letter + 2] = 'u', origin
        redis.call('XADD', DEAD, entry_id(redis.call('HINCRBY', C, 'dseq', 1)), unpack(letter))
      end
      keep_receipt(id, kept, receipt_ms)
    elseif redis.call('HDEL', X, seq) == 1 and fate == 'd' then
      -- Dropped while it was in flight, and delivered nevertheless.
      sums.drop = sums.drop - 1
      count(producer, 'o', -1)
      delivered(producer, recent)
      local newer = redis.call('GET', receipt(id))
      if not newer or string.sub(newer, 1, 1) ~= 'q' then keep_receipt(id, kept, receipt_ms) end
    end
  end
end
for field, number in pairs(sums) do add(field, number) end
if sums.del > 0 then redis.call('LTRIM', RECENT, 0, 999) end
while redis.call('XLEN', DEAD) > max_dead do
  drop_letter(string.match(redis.call('XRANGE', DEAD, '-', '+', 'COUNT', 1)[1][1], '^%d+'))
end
while word < #ARGV do
  local n = number_of(ARGV[word])
  if n then redis.call('HSET', C, 'g:' .. n, ARGV[word + 1]) end
  word = word + 2
end
return 1
