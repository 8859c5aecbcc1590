-- Drops dead letters. Returns the number of dead letters that existed.
local known, refused = origins()
if refused then return refused end
local done = 0
for i = 1, #ARGV do
  if drop_letter(ARGV[i]) then done = done + 1 end
end
return done
