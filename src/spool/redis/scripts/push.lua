-- Accepts a notification. Returns 1: accepted; 0: its id was accepted before; -1: the spool is full.
local origin, id, path, body, accepted, producer = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local attempts, detail, max_items, max_bytes = ARGV[7], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local drops_oldest, receipt_ms, age_ms, producer_accepted = ARGV[11] == '1', ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])

local kept = redis.call('GET', receipt(id))
if kept and string.match(kept, '^[qrx] ') then return 0 end
if kept then return redis.error_reply('WRONGTYPE the key ' .. receipt(id) .. ' is no receipt') end
local known, refused = origins()
if refused then return refused end
local c = redis.call('HMGET', C, 'seq', 'acc', 'bytes', 'lost')
local n = redis.call('HGET', D, 'u:' .. origin)
if known > 0 and not n and redis.call('EXISTS', D) == 0 then
  return redis.error_reply('ESALES the origins of the spool are gone while notifications are there: the engine evicted them, or a client deleted the key ' .. D)
end
local p = redis.call('HMGET', PRODUCERS, producer .. ':a', producer .. ':b')
local pending = 0
for i = 1, known do pending = pending + redis.call('XLEN', queue(i)) end
local bytes, size = tonumber(c[3] or '0'), #body
if size > max_bytes then return -1 end
if pending >= max_items or bytes + size > max_bytes then
  if not drops_oldest then return -1 end
  while pending >= max_items or bytes + size > max_bytes do
    local oldest, from
    for i = 1, known do
      local first = redis.call('XRANGE', queue(i), '-', '+', 'COUNT', 1)[1]
      local seq = first and tonumber(string.match(first[1], '^%d+'))
      if seq and (not oldest or seq < oldest) then oldest, from = seq, { i, first } end
    end
    if not oldest then return -1 end
    bytes = bytes - #fields(from[2]).b
    drop_pending(from[1], text(oldest), from[2], 'm', accepted, receipt_ms)
    pending = pending - 1
  end
  add('ops', 1)
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local is_new = not n
if is_new then n = text(known + 1) end
local seq = text(tonumber(c[1] or '0') + 1)
local entry = { 'i', id, 'p', path, 'b', body, 'a', accepted, 'o', producer, 'n', attempts, 's', text(math.max(0, now - age_ms)) }
if detail ~= '' then
  entry[15], entry[16] = 'e', detail
end
redis.call('XADD', queue(n), entry_id(seq), unpack(entry))
if is_new then
  redis.call('HSET', D, 'u:' .. origin, n, 'n:' .. n, origin)
  redis.call('HSET', C, 'v', FORMAT, 'n', n)
end
redis.call('HSET', C, 'seq', seq, 'acc', text(tonumber(c[2] or '0') + 1), 'bytes', text(bytes + size))
-- The producer's count is greater than the count here if the engine has lost notifications.
local before = tonumber(p[1] or '0')
local behind, was_behind = math.max(0, producer_accepted - before), tonumber(p[2] or '0')
if behind ~= was_behind then
  redis.call('HINCRBY', C, 'lost', behind - was_behind)
  redis.call('HSET', PRODUCERS, producer .. ':b', behind)
end
redis.call('HSET', PRODUCERS, producer .. ':a', text(before + 1), producer .. ':l', now)
redis.call('SET', receipt(id), 'q ' .. n .. ' ' .. seq)
return 1
