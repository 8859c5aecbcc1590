-- Drops the oldest entries until there is room for one of this size. Returns the bytes that are then pending; nil: the
-- spool is empty, and there is no room.
function make_room(known, pending, bytes, size, max_items, max_bytes, now, receipt_ms)
  while pending >= max_items or bytes + size > max_bytes do
    local oldest, from
    for n = 1, known do
      local first = redis.call('XRANGE', queue(n), '-', '+', 'COUNT', 1)[1]
      local seq = first and tonumber(string.match(first[1], '^%d+'))
      if seq and (not oldest or seq < oldest) then oldest, from = seq, { n, first } end
    end
    if not oldest then return nil end
    bytes = bytes - #fields(from[2]).b
    drop_pending(from[1], text(oldest), from[2], 'm', now, receipt_ms)
    pending = pending - 1
  end
  add('ops', 1)
  return bytes
end
