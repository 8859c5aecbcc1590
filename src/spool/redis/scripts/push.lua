-- Accepts a notification. Returns 1: accepted; 0: its id was accepted before; -1: the spool is full.
-- An enqueue waits for each step of this script, so there are few.
local origin, id, path, body, about, producer, producer_accepted = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local max_items, max_bytes, now = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local kept = P .. 'r:' .. id

-- The reply if the id was accepted before.
local function reply_to_known_id()
  local known = redis.call('GET', kept)
  if known and not string.match(known, '^[qrx] ') then
    return redis.error_reply('WRONGTYPE the key ' .. kept .. ' is no receipt')
  end
  return known and 0
end

local c = redis.call('HMGET', C, 'v', 'seq', 'gone', 'bytes', origin, producer, producer .. ':b')
local n, known = c[5], nil
if c[1] ~= FORMAT or not n or make_room then
  local refused
  known, refused = origins()
  if refused then return refused end
end
local newest, bytes, size = c[2] or 0, c[4] or 0, #body
local pending = newest - (c[3] or 0)
if pending >= max_items or bytes + size > max_bytes then
  local reply = reply_to_known_id()
  if reply then return reply end
  if not make_room or size > max_bytes then return -1 end
  bytes = make_room(known, pending, bytes, size, max_items, max_bytes, string.match(about, '^%d+ (%d+ %d+ %d+)'), ARGV[11])
  if not bytes then return -1 end
end
local is_new = not n
if is_new then n = text(known + 1) end
local seq = text(newest + 1)
if not redis.call('SET', kept, 'q ' .. n .. ' ' .. seq, 'NX') then return reply_to_known_id() end
local added = redis.pcall('XADD', P .. 'q:' .. n, seq .. '-0', 'i', id, 'p', path, 'b', body, 'a', about)
if type(added) == 'table' then
  redis.call('DEL', kept)
  return added
end
if is_new then redis.call('HSET', C, 'v', FORMAT, 'n', n, origin, n, 'n:' .. n, origin) end
local before, was_behind = c[6] or '0', c[7] or '0'
redis.call('HSET', C, 'seq', seq, 'bytes', text(bytes + size), producer, text(before + 1), producer .. ':l', now)
-- The producer's count is greater than the count here if the engine has lost notifications.
if producer_accepted ~= before or was_behind ~= '0' then
  local behind = math.max(0, producer_accepted - before)
  if behind ~= tonumber(was_behind) then
    redis.call('HINCRBY', C, 'lost', behind - was_behind)
    redis.call('HSET', C, producer .. ':b', behind)
  end
end
return 1
