-- Drops pending entries and dead letters, and the texts of their receipts: pairs of the origin (empty: a dead letter) and
-- the sequence number. Returns the number of entries that existed.
local known, refused = origins()
if refused then return refused end
local receipt_ms, now, done = ARGV[1], ARGV[2], 0
for word = 3, #ARGV, 2 do
  local origin, seq = ARGV[word], ARGV[word + 1]
  if origin == '' then
    local found = drop_letter(seq)
    if found then
      local accepted, _, attempts = about(found)
      done = done + 1
      keep_receipt(found.i, 'x ' .. accepted .. ' ' .. now .. ' ' .. attempts .. ' p', receipt_ms)
    end
  else
    local n = redis.call('HGET', C, origin) or '0'
    local entry = at(queue(n), seq)
    if entry then
      done = done + 1
      drop_pending(n, seq, entry, 'p', now, receipt_ms)
    end
  end
end
add('ops', 1)
return done
