import { defineScript } from '../../../redis/script.js';

/**
 * All keys begin with KEYS[1], which has a hash tag, so that they are in one slot of a cluster: `n` is the number of
 * the newest bucket, and `since` the second of its begin; `p:<bucket>` is a hash with up to an equal part of all
 * predictions, by id, that came in an equal part of the window; `a:<bucket>` has their feedback; `shapes` has the shape of each version; `q:<slot>` has the sums of a part of the window;
 * `c:<epoch>:<version>` has the classes that a version without declared ones counts singly. Each key expires. What
 * another program wrote into them is skipped, since an error would stop the feedback of all.
 */
export const bucketCount = 16;
/** Half of them ended because they were full, half of them because of their age. */
const maxBuckets = 2 * bucketCount;

const buckets = `local base = KEYS[1]
local function predictionsOf(n) return base .. 'p:' .. n end
local function feedbackOf(n) return base .. 'a:' .. n end
local function numberAt(name)
  local text = redis.call('GET', base .. name) or ''
  return #text <= 12 and tonumber(string.match(text, '^%d+$')) or nil
end
local function newestBucket() return numberAt('n') or 0 end`;

/**
 * ARGV: window in seconds, entries of a bucket, names of the versions whose shapes Redis should have, lines of the shapes,
 * lines of the predictions. A line of a shape is a name, a space and JSON; one of a prediction begins with its id. They
 * are one argument, since the client writes each argument by itself. Returns 1 and the number of predictions without
 * feedback that had to leave; or, without a change, 0 and the names without a shape.
 */
export const keepScript = defineScript(`
${buckets}
local window, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local missing = {}
for name in string.gmatch(ARGV[3], '%S+') do
  if redis.call('HEXISTS', base .. 'shapes', name) == 0 then missing[#missing + 1] = name end
end
if #missing > 0 then return {0, table.concat(missing, ' ')} end
local n, dropped = newestBucket(), 0
local at = tonumber(redis.call('TIME')[1])
local since, size = numberAt('since'), redis.call('HLEN', predictionsOf(n))
local function drop(old)
  local open = redis.call('HLEN', predictionsOf(old)) - redis.call('HLEN', feedbackOf(old))
  dropped = dropped + math.max(0, open)
  redis.call('UNLINK', predictionsOf(old), feedbackOf(old))
end
if size == 0 or not since or since > at then since = at end
-- A bucket leaves a window after its last prediction: the first one should not stay much longer.
if size >= most or at - since >= window / ${bucketCount} then
  n, since = n + 1, at
  drop(n)
  local kept = 0
  for old = n - 1, n - ${maxBuckets}, -1 do
    if kept >= ${bucketCount - 1} * most or old == n - ${maxBuckets} then
      drop(old)
    else
      kept = kept + redis.call('HLEN', predictionsOf(old))
    end
  end
end
redis.call('SET', base .. 'n', n, 'EX', 2 * window)
redis.call('SET', base .. 'since', since, 'EX', 2 * window)
local bucket = predictionsOf(n)
for name, text in string.gmatch(ARGV[4], '(%S+) ([^\\n]+)') do redis.call('HSET', base .. 'shapes', name, text) end
for id, text in string.gmatch(ARGV[5], '(%S+) ([^\\n]+)') do redis.call('HSET', bucket, id, at .. ' ' .. text) end
redis.call('EXPIRE', bucket, window)
redis.call('EXPIRE', feedbackOf(n), window)
redis.call('EXPIRE', base .. 'shapes', 2 * window)
return {1, dropped}
`);

/**
 * ARGV: window, then ids. Returns for each its bucket, JSON, feedback and shape, with empty texts for what is missing. The
 * bucket is -1 if the prediction is not kept, -2 if it cannot be read. The shape is 0 if it is that of an earlier
 * prediction of the same version: with many classes it is long.
 */
export const findScript = defineScript(`
${buckets}
local newest = newestBucket()
local oldestAt = redis.call('TIME')[1] - ARGV[1]
local found, shown = {}, {}
for k = 2, #ARGV - 1 do
  local bucket, json, before, shape = -1, '', '', ''
  for n = newest, math.max(0, newest - ${maxBuckets - 1}), -1 do
    local it = redis.call('HGET', predictionsOf(n), ARGV[k])
    if it then
      local at, name, text = string.match(it, '^(%d+) (%S+) (.+)$')
      if not at then
        bucket = -2
      elseif tonumber(at) > oldestAt then
        bucket, json = n, text
        before = redis.call('HGET', feedbackOf(n), ARGV[k]) or ''
        shape = shown[name] and 0 or redis.call('HGET', base .. 'shapes', name) or ''
        shown[name] = true
      end
      break
    end
  end
  for _, it in ipairs({bucket, json, before, shape}) do found[#found + 1] = it end
end
return found
`);

/**
 * ARGV: window, slot of the sums, bucket, id, feedback, key of the classes, and JSON of the sums: a list of field, amount
 * as text, and for a cell of an open class its text, limit and other field. Returns 1 and the feedback that is in force;
 * 0 if there was one; -1 if the prediction has left; -2 if a sum cannot be added to, and then nothing is recorded.
 */
export const recordScript = defineScript(`
${buckets}
local window, sums, classes = ARGV[1], base .. 'q:' .. ARGV[2], base .. 'c:' .. ARGV[6]
local answers, id = feedbackOf(ARGV[3]), ARGV[4]
if redis.call('HEXISTS', predictionsOf(ARGV[3]), id) == 0 then return {-1, ''} end
local before = redis.call('HGET', answers, id)
if before then return {0, before} end
local function isKept(class, limit)
  if redis.call('HEXISTS', classes, class) == 1 then return true end
  if redis.call('HLEN', classes) >= limit then return false end
  redis.call('HSET', classes, class, 1)
  redis.call('EXPIRE', classes, 2 * window)
  return true
end
local function refuse()
  redis.call('EXPIRE', sums, 2 * window)
  return {-2, ''}
end
local cells = cjson.decode(ARGV[7])
for _, cell in ipairs(cells) do
  if cell[3] and not isKept(cell[3], cell[4]) then cell[1] = cell[5] end
  -- HINCRBYFLOAT would write 17 digits after the point, and lose the squares of small errors.
  local sum = tonumber(redis.call('HGET', sums, cell[1]) or 0)
  if not sum or not (math.abs(sum) <= 1e250) then return refuse() end
  cell[2] = string.format('%.17g', sum + cell[2])
end
redis.call('HSET', answers, id, ARGV[5])
for _, cell in ipairs(cells) do redis.call('HSET', sums, cell[1], cell[2]) end
redis.call('EXPIRE', answers, window)
redis.call('EXPIRE', sums, 2 * window)
return {1, ARGV[5]}
`);

/** ARGV: slots. Returns the shapes by version, as a flat list of names and JSON, then the number of sums of each slot. */
export const sizesScript = defineScript(`
local base = KEYS[1]
local all = {redis.call('HGETALL', base .. 'shapes')}
for k = 1, #ARGV - 1 do all[#all + 1] = redis.call('HLEN', base .. 'q:' .. ARGV[k]) end
return all
`);

/** ARGV: slots. Returns the sums of each, as a flat list of fields and values. */
export const sumsScript = defineScript(`
local base = KEYS[1]
local all = {}
for k = 1, #ARGV - 1 do all[k] = redis.call('HGETALL', base .. 'q:' .. ARGV[k]) end
return all
`);
