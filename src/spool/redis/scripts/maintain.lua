-- Forgets producers that have accepted nothing for days. Returns the position at which the next call continues.
if not leads(ARGV[1]) then return 0 end
local before = tonumber(redis.call('TIME')[1]) - tonumber(ARGV[3])
local page = redis.call('HSCAN', C, ARGV[2], 'COUNT', 100)
for i = 1, #page[2], 2 do
  local producer = string.match(page[2][i], '^(%d+):?%a?$')
  local last = producer and redis.call('HGET', C, producer .. ':l')
  if producer and (not last or tonumber(last) < before) then
    redis.call('HDEL', C, producer)
    for field in string.gmatch('bdexol', '%a') do redis.call('HDEL', C, producer .. ':' .. field) end
  end
end
return page[1]
