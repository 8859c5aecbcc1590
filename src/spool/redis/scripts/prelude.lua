-- Every script except PUSH begins with this, after keys.lua.
local T, B, X = P .. 't', P .. 'b', P .. 'x'
local DEAD, STATUSES, RECENT, LEAD = P .. 'dead', P .. 'ds', P .. 'recent', P .. 'lead'

local function queue(n) return P .. 'q:' .. n end
local function receipt(id) return P .. 'r:' .. id end
local function entry_id(seq) return seq .. '-0' end
local function add(field, number) if number ~= 0 then redis.call('HINCRBY', C, field, text(number)) end end
local function count(producer, field, number) redis.call('HINCRBY', C, producer .. ':' .. field, number) end

-- Lets the rest of the script write although the engine's memory is full: an engine refuses only the first write of a script
-- that may need memory, and DEL needs none. For what the drainer and an operator do, which frees memory in the end.
local function write_when_memory_is_full() redis.call('DEL', P .. 'none') end

-- The fields of a stream's entry as a table.
local function fields(entry)
  local found = {}
  for i = 1, #entry[2], 2 do found[entry[2][i]] = entry[2][i + 1] end
  return found
end

-- The time of acceptance, the producer and the number of attempts in the fields of an entry.
local function about(found) return string.match(found.a, '^%d+ (%d+ %d+ %d+) (%d+) (%d+)') end

local function at(stream, seq) return redis.call('XRANGE', stream, entry_id(seq), entry_id(seq))[1] end

-- Each origin and its gate, in the order of their numbers.
local function gates(known)
  local found = {}
  for n = 1, known do
    local both = redis.call('HMGET', C, 'n:' .. n, 'g:' .. n)
    found[2 * n - 1], found[2 * n] = both[1], both[2]
  end
  return found
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
  local accepted, producer, tried = about(found)
  local attempts = redis.call('HGET', T, seq)
  attempts = attempts and string.match(attempts, '^%d+') or tried
  local fetched = redis.call('HGET', C, 'fetched')
  redis.call('XDEL', queue(n), entry_id(seq))
  redis.call('HDEL', T, seq)
  redis.call('HDEL', B, seq)
  if fetched and tonumber(seq) <= tonumber(fetched) and redis.call('HLEN', X) < 20000 then
    redis.call('HSET', X, seq, 1)
  end
  add('gone', 1)
  add('drop', 1)
  add('bytes', -#found.b)
  count(producer, 'o', 1)
  keep_receipt(found.i, 'x ' .. accepted .. ' ' .. now .. ' ' .. attempts .. ' ' .. why, ms)
end

-- Removes a dead letter from its list.
local function take_letter(seq)
  local entry = at(DEAD, seq)
  if not entry or redis.call('XDEL', DEAD, entry[1]) == 0 then return nil end
  local found = fields(entry)
  local _, producer = about(found)
  redis.call('HINCRBY', STATUSES, found.c, -1)
  add('dead', -1)
  count(producer, 'x', -1)
  return found, producer
end

local function drop_letter(seq)
  local found, producer = take_letter(seq)
  if found then
    add('drop', 1)
    count(producer, 'o', 1)
  end
  return found
end
