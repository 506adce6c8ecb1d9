import { defineScript } from '../redis/script.js';

/** Numbers that the script returns for each group of equal requests. */
export const resultsOfGroup = 4;

/**
 * Takes from the limits of many ids in one step of Redis. The log of an id is a list, oldest first. An entry (24 bytes)
 * holds a moment and the totals admitted before and after it. The use of a window is a difference of totals: O(log n).
 *
 *   KEYS     for each group: the log of its id; several groups may have one id
 *   ARGV     for each group: max, window in µs, cost of each request, number of requests
 *   returns  for each group: requests admitted, what is left, µs until more is left, µs until one more would pass
 *
 * Redis's clock counts for all processes. If it was set back, all entries of a log count as admitted now: no client
 * gets more than its limit, and none is refused for longer than a window. Other programs may write to this Redis, so
 * entries are checked: numbers are whole and at most 2^52, and neither moment nor total exceeds that of the newest
 * entry. A damaged log is removed and begins anew.
 */
export const takeScript = defineScript(`
local call, unpack, floor = redis.call, struct.unpack, math.floor
-- pcall: a value that is not a list is a damaged log. In a log that begins anew, an error is Redis's own.
local look = redis.pcall
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local maxWhole = 2 ^ 52
local isDamaged = false

-- False for NaN too: each comparison with NaN is false.
local function isWhole(value, most)
  return value >= 0 and value <= most and value == floor(value)
end

-- Returns the moment and both totals of an entry; nil if it is absent or damaged.
local function read(key, index, maxMoment, maxCount)
  local packed = look('LINDEX', key, index)
  if not packed then return nil end
  if type(packed) == 'string' and #packed == 24 then
    local at, before, with = unpack('<ddd', packed)
    if isWhole(at, maxMoment) and isWhole(with, maxCount) and isWhole(before, with - 1) then
      return at, before, with
    end
  end
  isDamaged = true
end

-- Returns the index of the first entry that is later than the moment and reaches the count.
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

-- Returns nil if the log is damaged.
local function take(key, max, window, cost, asking)
  local newest, _, total = read(key, -1, maxWhole, maxWhole)
  -- The oldest entry of the window: its moment, and the totals before and after it.
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

  -- PEXPIRE for each entry would be a quarter of the work: the first entry of each window sets two windows of life.
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
