-- Every script begins with this. KEYS[1] is the prefix of all keys of the spool, `esales:{NAME}:`; the braces put them in
-- one slot of a cluster. Scripts are not rolled back, so each reads what it needs before it writes: a key of the wrong
-- type, a missing right or a lack of memory then ends it before anything is changed.
local P = KEYS[1]
local C, D, T, B, X, PRODUCERS = P .. 'c', P .. 'd', P .. 't', P .. 'b', P .. 'x', P .. 'p'
local DEAD, STATUSES, RECENT, LEAD = P .. 'dead', P .. 'ds', P .. 'recent', P .. 'lead'
local FORMAT = '1'

local function queue(n) return P .. 'q:' .. n end
local function receipt(id) return P .. 'r:' .. id end
local function entry_id(seq) return seq .. '-0' end
local function text(number) return string.format('%.0f', number) end
local function add(field, number) if number ~= 0 then redis.call('HINCRBY', C, field, text(number)) end end
local function count(producer, field, number)
  redis.call('HINCRBY', PRODUCERS, producer .. ':' .. field, number)
end

-- Lets the rest of the script write although the engine's memory is full: an engine refuses only the first write of a script
-- that may need memory, and DEL needs none. For what the drainer and an operator do, which frees memory in the end.
local function write_when_memory_is_full() redis.call('DEL', P .. 'none') end

-- The fields of a stream's entry as a table.
local function fields(entry)
  local found = {}
  for i = 1, #entry[2], 2 do found[entry[2][i]] = entry[2][i + 1] end
  return found
end

local function at(stream, seq) return redis.call('XRANGE', stream, entry_id(seq), entry_id(seq))[1] end

-- The number of origins; an error if the counters are missing but the spool exists, or if they have another version.
local function origins()
  local c = redis.call('HMGET', C, 'v', 'n')
  if c[1] == FORMAT then return tonumber(c[2] or '0') end
  if c[1] then return nil, redis.error_reply('ESALES the spool has format ' .. c[1] .. ', which this version does not know') end
  if redis.call('EXISTS', D, DEAD, queue(1)) > 0 then
    return nil, redis.error_reply('ESALES the counters of the spool are gone while notifications are there: the engine evicted them, or a client deleted the key ' .. C)
  end
  return 0
end

local function keep_receipt(id, value, ms)
  if ms == '0' then redis.call('DEL', receipt(id)) else redis.call('SET', receipt(id), value, 'PX', ms) end
end

-- Whether the holder of the token is the leader; renews its lease.
local function leads(token)
  if redis.call('GET', LEAD) ~= token then return false end
  redis.call('PEXPIRE', LEAD, 5000)
  return true
end

-- Drops a pending entry, and remembers it if the drainer may be sending it.
local function drop_pending(n, seq, entry, why, now, ms)
  local found = fields(entry)
  local attempts = redis.call('HGET', T, seq)
  attempts = attempts and string.match(attempts, '^%d+') or found.n
  local fetched = redis.call('HGET', C, 'fetched')
  redis.call('XDEL', queue(n), entry_id(seq))
  redis.call('HDEL', T, seq)
  redis.call('HDEL', B, seq)
  if fetched and tonumber(seq) <= tonumber(fetched) and redis.call('HLEN', X) < 20000 then
    redis.call('HSET', X, seq, 1)
  end
  add('drop', 1)
  add('bytes', -#found.b)
  count(found.o, 'o', 1)
  keep_receipt(found.i, 'x ' .. found.a .. ' ' .. now .. ' ' .. attempts .. ' ' .. why, ms)
end

-- Removes a dead letter from its list.
local function take_letter(seq)
  local entry = at(DEAD, seq)
  if not entry or redis.call('XDEL', DEAD, entry[1]) == 0 then return nil end
  local found = fields(entry)
  redis.call('HINCRBY', STATUSES, found.c, -1)
  add('dead', -1)
  count(found.o, 'x', -1)
  return found
end

local function drop_letter(seq)
  local found = take_letter(seq)
  if found then
    add('drop', 1)
    count(found.o, 'o', 1)
  end
  return found
end
