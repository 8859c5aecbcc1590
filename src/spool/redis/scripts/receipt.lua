-- The packed receipt of an id, or its pending entry with the last attempt.
local kept = redis.call('GET', receipt(ARGV[1]))
local n, seq = string.match(kept or '', '^q (%d+) (%d+)$')
if not n then return kept end
local entry = at(queue(n), seq)
return entry and { entry, redis.call('HGET', T, seq) } or false
