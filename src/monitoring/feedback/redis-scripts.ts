import { defineScript } from '../../redis/script.js';

/**
 * All keys begin with KEYS[1], which has a hash tag, so that they are in one slot of a cluster: `n` is the number of
 * the newest bucket; `p:<bucket>` is a hash with up to an equal part of all predictions, by id, and their feedback as
 * `a:<id>`; `shapes` has the shape of each version; `q:<slot>` has the sums of a part of the window. Each key expires.
 */
export const bucketCount = 16;

const bucketOf = `local base = KEYS[1]
local function bucketOf(n) return base .. 'p:' .. n end`;

/**
 * ARGV: window in seconds, entries of a bucket, lines of the shapes, lines of the predictions. A line is a field, a space
 * and JSON. They are one argument, since the client writes each argument by itself.
 */
export const keepScript = defineScript(`
${bucketOf}
local window, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local n = tonumber(redis.call('GET', base .. 'n') or '0')
if redis.call('HLEN', bucketOf(n)) >= most then
  n = n + 1
  redis.call('UNLINK', bucketOf(n), bucketOf(n - ${bucketCount}))
end
redis.call('SET', base .. 'n', n, 'EX', 2 * window)
local at = redis.call('TIME')[1]
local bucket = bucketOf(n)
for field, text in string.gmatch(ARGV[3], '(%S+) ([^\\n]+)') do redis.call('HSET', base .. 'shapes', field, text) end
for id, text in string.gmatch(ARGV[4], '(%S+) ([^\\n]+)') do redis.call('HSET', bucket, id, at .. ' ' .. text) end
redis.call('EXPIRE', bucket, window)
redis.call('EXPIRE', base .. 'shapes', 2 * window)
return {n}
`);

/** ARGV: window, then ids. Returns for each its bucket, text, feedback and shape; -1 and empty texts if it is not kept. */
export const findScript = defineScript(`
${bucketOf}
local newest = tonumber(redis.call('GET', base .. 'n') or '0')
local oldestAt = redis.call('TIME')[1] - ARGV[1]
local found = {}
for k = 2, #ARGV - 1 do
  local bucket, text, before, shape = -1, '', '', ''
  for n = newest, math.max(0, newest - ${bucketCount - 1}), -1 do
    local it = redis.call('HGET', bucketOf(n), ARGV[k])
    if it then
      local space = string.find(it, ' ', 1, true)
      if tonumber(string.sub(it, 1, space - 1)) > oldestAt then
        bucket, text = n, string.sub(it, space + 1)
        before = redis.call('HGET', bucketOf(n), 'a:' .. ARGV[k]) or ''
        shape = redis.call('HGET', base .. 'shapes', cjson.decode(text)[1]) or ''
      end
      break
    end
  end
  for _, it in ipairs({bucket, text, before, shape}) do found[#found + 1] = it end
end
return found
`);

/** ARGV: window, slot of the sums, bucket, id, feedback, then field and amount of each sum. Returns 1 and the feedback that is in force; 0 if there was one; -1 if the prediction has left. */
export const recordScript = defineScript(`
${bucketOf}
local bucket, field, sums = bucketOf(ARGV[3]), 'a:' .. ARGV[4], base .. 'q:' .. ARGV[2]
if redis.call('HEXISTS', bucket, ARGV[4]) == 0 then return {-1, ''} end
if redis.call('HSETNX', bucket, field, ARGV[5]) == 0 then return {0, redis.call('HGET', bucket, field)} end
for k = 6, #ARGV - 1, 2 do redis.call('HINCRBYFLOAT', sums, ARGV[k], ARGV[k + 1]) end
redis.call('EXPIRE', sums, 2 * ARGV[1])
return {1, ARGV[5]}
`);

/** ARGV: the slots. Returns the shapes by version, then the sums of each slot, as flat lists of fields and values. */
export const sumsScript = defineScript(`
local base = KEYS[1]
local all = {redis.call('HGETALL', base .. 'shapes')}
for k = 1, #ARGV - 1 do all[#all + 1] = redis.call('HGETALL', base .. 'q:' .. ARGV[k]) end
return all
`);
