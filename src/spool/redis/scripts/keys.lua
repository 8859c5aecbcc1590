-- Every script begins with this. KEYS[1] is the prefix of all keys of the spool, `esales:{NAME}:`; the braces put them in
-- one slot of a cluster. Scripts are not rolled back, so each reads what it needs before it writes: a key of the wrong
-- type, a missing right or a lack of memory then ends it before anything is changed.
local P = KEYS[1]
local C, FORMAT = P .. 'c', '1'

local function text(number) return string.format('%.0f', number) end

-- The number of origins; an error if the counters are missing but the spool exists, or if they have another version.
local function origins()
  local c = redis.call('HMGET', C, 'v', 'n')
  if c[1] == FORMAT then return tonumber(c[2] or '0') end
  if c[1] then return nil, redis.error_reply('ESALES the spool has format ' .. c[1] .. ', which this version does not know') end
  if redis.call('EXISTS', P .. 'dead', P .. 'q:1') > 0 then
    return nil, redis.error_reply('ESALES the counters of the spool are gone while notifications are there: the engine evicted them, or a client deleted the key ' .. C)
  end
  return 0
end

-- make_room.lua assigns it, for a spool that drops the oldest notifications when it is full.
local make_room
