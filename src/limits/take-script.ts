import { defineScript } from '../redis/script.js';

/** What a group of equal requests of one turn got: numbers that the script gives for each. */
export const answersOfGroup = 4;

/**
 * Takes for many ids at once, as one step of Redis. An id's log is a list, oldest first, of what was let in together:
 * the moment, how many there were before, and how many with these, in 24 bytes. So what is in the window is the last
 * count less the first, however many there are, and no step takes longer than the logarithm of the list.
 *
 *   KEYS     for each group: the log of its id; an id may come again with another limit or cost
 *   ARGV     for each group: max, window in µs, cost of each request, how many requests
 *   returns  for each group: how many of them are let in, what is left, and two times in µs: until more is left, and
 *            until one more of this cost would be let in
 *
 * The clock is Redis's own, for all processes. It is the time of day: where it was set back, all that is in a log
 * counts as let in now, so that nobody gets more than the limit, and nobody is shut out for longer than a window.
 */
export const takeScript = defineScript(`
local call, unpack = redis.call, struct.unpack
local time = call('TIME')
local now = time[1] * 1000000 + time[2]

-- How many entries come before the first that is after the moment and brings the count that far.
local function seek(key, moment, count)
  local function isBefore(index)
    local packed = call('LINDEX', key, index)
    if not packed then return false end
    local at, _, total = unpack('<ddd', packed)
    return at <= moment or total < count
  end
  local from, to, step = 0, 0, 1
  while isBefore(to) do
    from, to, step = to + 1, to + step, step * 2
  end
  while from < to do
    local middle = math.floor((from + to) / 2)
    if isBefore(middle) then from = middle + 1 else to = middle end
  end
  return to
end

local answers = {}
for k, key in ipairs(KEYS) do
  local n = k * 4
  local max, window = tonumber(ARGV[n - 3]), tonumber(ARGV[n - 2])
  local cost, asking = tonumber(ARGV[n - 1]), tonumber(ARGV[n])

  -- The oldest entry of the window: its moment, and the counts before and with it.
  local oldest, before, with = nil, 0, 0
  local first = redis.pcall('LINDEX', key, 0)
  -- What is no log of ours has no place here, and must not keep the other ids from being counted.
  if first and (type(first) == 'table' or #first ~= 24) then
    call('DEL', key)
    first = false
  end
  if first then oldest, before, with = unpack('<ddd', first) end
  if first and oldest + window <= now then
    call('LTRIM', key, seek(key, now - window, 0), -1)
    oldest, before, with = nil, 0, 0
    first = call('LINDEX', key, 0)
    if first then oldest, before, with = unpack('<ddd', first) end
  end

  -- PEXPIRE for each entry would be a quarter of the work: the first of each window makes a log live for two.
  local total, lives = 0, false
  if first then
    local newest, _, last = unpack('<ddd', call('LINDEX', key, -1))
    total, lives = last, math.floor(newest / window) == math.floor(now / window)
    if newest > now then
      oldest, with, lives = now, total, true
      call('DEL', key)
      call('RPUSH', key, struct.pack('<ddd', now, before, total))
      call('PEXPIRE', key, window / 500 + 1000)
    end
  end

  local used = total - before
  local taken = math.max(0, math.min(asking, math.floor((max - used) / cost)))
  if taken > 0 then
    used = used + taken * cost
    if not first then oldest, with = now, used end
    call('RPUSH', key, struct.pack('<ddd', now, total, before + used))
    if not lives then call('PEXPIRE', key, window / 500 + 1000) end
  end

  local more = oldest and oldest + window - now or window
  local free, leaving = more, used + cost - max
  if leaving > used then free = window
  elseif before + leaving > with then
    local packed = call('LINDEX', key, seek(key, -1, before + leaving))
    free = unpack('<d', packed) + window - now
  end
  answers[n - 3], answers[n - 2], answers[n - 1], answers[n] = taken, math.max(0, max - used), more, free
end
return answers
`);
