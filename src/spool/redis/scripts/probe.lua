-- Ends the pause of every closed gate. Returns the number of these gates.
local known, refused = origins()
if refused then return refused end
write_when_memory_is_full()
local done = 0
for n = 1, known do
  local gate = redis.call('HGET', C, 'g:' .. n)
  local failures, closed = string.match(gate or '', '^(%d+) (%d+) %d+$')
  if failures and failures ~= '0' then
    redis.call('HSET', C, 'g:' .. n, failures .. ' ' .. closed .. ' 0')
    done = done + 1
  end
end
if done > 0 then add('ops', 1) end
return done
