-- Forgets producers that have accepted nothing for days. Returns the position at which the next call continues.
if not leads(ARGV[1]) then return 0 end
local time = redis.call('TIME')
local before = tonumber(time[1]) * 1000 - tonumber(ARGV[3])
local page = redis.call('HSCAN', PRODUCERS, ARGV[2], 'COUNT', 100)
for i = 1, #page[2], 2 do
  local producer = string.match(page[2][i], '^(.+):%a$')
  local last = producer and redis.call('HGET', PRODUCERS, producer .. ':l')
  if producer and (not last or tonumber(last) < before) then
    for field in string.gmatch('abdexol', '%a') do redis.call('HDEL', PRODUCERS, producer .. ':' .. field) end
  end
end
return page[1]
