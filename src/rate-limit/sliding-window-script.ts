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
 *
 * Whoever else writes to this Redis may have written anything there. Each entry that is read is checked: whole numbers
 * that a double holds exactly, no moment after that of the newest entry, no count beyond its own. A log with another
 * entry is removed, and its id counted anew.
 */
export const takeScript = defineScript(`
local call, unpack, floor = redis.call, struct.unpack, math.floor
-- What is no list is a log that is damaged. In a log that was made anew, an error is Redis's own.
local look = redis.pcall
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local mostWhole = 2 ^ 52
local isDamaged = false

-- False for NaN, too, which is less than nothing and more than nothing.
local function isWhole(value, most)
  return value >= 0 and value <= most and value == floor(value)
end

-- The three numbers of an entry; nothing where there is none, or where they cannot be ours.
local function read(key, index, mostMoment, mostCount)
  local packed = look('LINDEX', key, index)
  if not packed then return nil end
  if type(packed) == 'string' and #packed == 24 then
    local at, before, with = unpack('<ddd', packed)
    if isWhole(at, mostMoment) and isWhole(with, mostCount) and isWhole(before, with - 1) then
      return at, before, with
    end
  end
  isDamaged = true
end

-- How many entries come before the first that is after the moment and brings the count that far.
local function seek(key, moment, count, newest, last)
  local function isBefore(index)
    local at, _, total = read(key, index, newest, last)
    return at and (at <= moment or total < count)
  end
  local from, to, step = 0, 0, 1
  while isBefore(to) do
    from, to, step = to + 1, to + step, step * 2
  end
  while from < to do
    local middle = floor((from + to) / 2)
    if isBefore(middle) then from = middle + 1 else to = middle end
  end
  return to
end

-- Gives nothing where it has met what is damaged.
local function take(key, max, window, cost, asking)
  local newest, _, total = read(key, -1, mostWhole, mostWhole)
  -- The oldest entry of the window: its moment, and the counts before and with it.
  local oldest, before, with
  if newest then
    oldest, before, with = read(key, 0, newest, total)
    if oldest and oldest + window <= now then
      local left = seek(key, now - window, 0, newest, total)
      if isDamaged then return end
      call('LTRIM', key, left, -1)
      oldest, before, with = read(key, 0, newest, total)
    end
  end
  if isDamaged then return end

  -- PEXPIRE for each entry would be a quarter of the work: the first of each window makes a log live for two.
  local lives = false
  if not oldest then
    newest, before, with, total = now, 0, 0, 0
  else
    lives = floor(newest / window) == floor(now / window)
    if newest > now then
      oldest, newest, with, lives = now, now, total, true
      call('UNLINK', key)
      call('RPUSH', key, struct.pack('<ddd', now, before, total))
      call('PEXPIRE', key, window / 500 + 1000)
    end
  end

  local used = total - before
  local taken = math.max(0, math.min(asking, floor((max - used) / cost)))
  if taken > 0 then
    used = used + taken * cost
    if not oldest then oldest, with = now, used end
    call('RPUSH', key, struct.pack('<ddd', now, total, before + used))
    if not lives then call('PEXPIRE', key, window / 500 + 1000) end
  end

  local more = oldest and oldest + window - now or window
  local free, leaving = more, used + cost - max
  if leaving > used then free = window
  elseif before + leaving > with then
    local at = read(key, seek(key, -1, before + leaving, now, before + used), now, before + used)
    if not at then return end
    free = at + window - now
  end
  return taken, math.max(0, max - used), more, free
end

local answers = {}
for k, key in ipairs(KEYS) do
  local n = k * 4
  local max, window, cost, asking = tonumber(ARGV[n - 3]), tonumber(ARGV[n - 2]), tonumber(ARGV[n - 1]), tonumber(ARGV[n])
  local taken, left, more, free = take(key, max, window, cost, asking)
  if not taken then
    call('UNLINK', key)
    isDamaged, look = false, call
    taken, left, more, free = take(key, max, window, cost, asking)
    look = redis.pcall
  end
  answers[n - 3], answers[n - 2], answers[n - 1], answers[n] = taken, left, more, free
end
return answers
`);
