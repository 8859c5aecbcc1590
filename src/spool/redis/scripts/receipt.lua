-- What is known of an id: a packed receipt, or the entry that is pending with what is known of its attempts.
local kept = redis.call('GET', receipt(ARGV[1]))
local n, seq = string.match(kept or '', '^q (%d+) (%d+)$')
if not n then return kept end
local entry = at(queue(n), seq)
return entry and { entry, redis.call('HGET', T, seq) } or false
