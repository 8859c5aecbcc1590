-- The commands that this user may not use. Engines before 7.0 report this only when the command is used.
local refused = {}
if redis.acl_check_cmd then
  local needed = {
    { 'XADD', queue(1), '1-0', 'i', '' }, { 'XDEL', queue(1), '1-0' }, { 'XLEN', queue(1) }, { 'XRANGE', queue(1), '-', '+' },
    { 'HGET', C, 'v' }, { 'HMGET', C, 'v' }, { 'HGETALL', STATUSES }, { 'HSET', C, 'v', '1' }, { 'HDEL', T, '1' }, { 'HLEN', X },
    { 'HEXISTS', C, 'v' }, { 'HINCRBY', C, 'seq', '1' }, { 'HSCAN', C, '0' }, { 'GET', LEAD },
    { 'SET', LEAD, '1' }, { 'DEL', LEAD }, { 'EXISTS', LEAD }, { 'PEXPIRE', LEAD, '1' }, { 'LPUSH', RECENT, '1' },
    { 'LTRIM', RECENT, '0', '1' }, { 'LRANGE', RECENT, '0', '1' }, { 'LLEN', RECENT }, { 'TIME' },
  }
  for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(unpack(command)) then refused[#refused + 1] = command[1] end
  end
end
return refused
