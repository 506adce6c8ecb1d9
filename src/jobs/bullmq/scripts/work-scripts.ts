import { defineJobScript } from './run-script.js';
import { sharedLua } from './script-parts.js';

/**
 * Begins an attempt to run a chunk. ARGV: id, chunk. Returns `claimed` with the record, the rows and the job's bytes in
 * Redis; `gone` if the chunk is not to be run; `lost` if Redis has removed its rows.
 */
export const claimScript = defineJobScript(`${sharedLua}
local id, chunk = ARGV[1], ARGV[2]
if not is_open(id) or not redis.call('ZSCORE', job(id, 'flight'), chunk) then return {'gone'} end
local rows = redis.call('HGET', job(id, 'rows'), chunk)
if not rows then return {'lost'} end
if field(id, 'state') == 'queued' then
  redis.call('HSET', job(id), 'state', 'running', 'startedAt', now)
  redis.call('ZREM', prefix .. 'queued', id)
  redis.call('ZADD', prefix .. 'running', field(id, 'acceptedAt'), id)
end
return {'claimed', field(id, 'record'), rows, field(id, 'bytes')}
`);

/**
 * Stores the results of a chunk, if no other process has. ARGV: id, chunk, results, completed rows, failed rows,
 * milliseconds that an ended job is kept, the failure of a job whose results Redis has removed. Returns `stored` with
 * the next chunks for the queue; `ended` with the job; or `gone`.
 */
export const answerScript = defineJobScript(`${sharedLua}
local id, chunk, results, completed, failed, keep, lost = unpack(ARGV)
if redis.call('HGET', job(id, 'results'), chunk) == results then
  -- The reply to the first try was lost, with the chunks that it had issued.
  if is_open(id) then return {'stored', redis.call('ZRANGE', job(id, 'flight'), 0, -1)} end
  return {'ended', read(id)}
end
if not is_open(id) or redis.call('ZREM', job(id, 'flight'), chunk) == 0 then return {'gone'} end
local before = redis.call('HLEN', job(id, 'results'))
redis.call('HSET', job(id, 'results'), chunk, results)
redis.call('HINCRBY', job(id), 'bytes', #results - redis.call('HSTRLEN', job(id, 'rows'), chunk))
redis.call('HDEL', job(id, 'rows'), chunk)
redis.call('HINCRBY', job(id), 'completed', completed)
redis.call('HINCRBY', job(id), 'failed', failed)
local answered = redis.call('HINCRBY', job(id), 'answered', 1)
if before ~= answered - 1 then
  finish(id, 'failed', lost, keep)
  return {'ended', read(id)}
end
if answered == tonumber(field(id, 'count')) then
  finish(id, 'completed', '', keep)
  return {'ended', read(id)}
end
return {'stored', issue(id)}
`);

/** Ends a job. ARGV: id, state, failure (JSON) or '', milliseconds that it is kept. Returns `ended` with the job, or `gone`. */
export const endScript = defineJobScript(`${sharedLua}
local id, state, failure, keep = unpack(ARGV)
if not is_open(id) then return {'gone'} end
finish(id, state, failure, keep)
return {'ended', read(id)}
`);

/** ARGV: ids. Returns those that neither wait nor run. */
export const endedScript = defineJobScript(`${sharedLua}
local ended = {}
for _, id in ipairs(ARGV) do
  if not is_open(id) then ended[#ended + 1] = id end
end
return ended
`);

/**
 * Removes jobs whose time is over, and finds chunks that the queue should have: a process was killed before it added
 * them, or Redis has removed them. Does so once in ARGV[1] milliseconds for all processes; ARGV[2]: the prefix of the
 * queue's entries. Returns the removed jobs, chunks without an entry, and chunks that have had one for a minute.
 */
export const sweepScript = defineJobScript(`${sharedLua}
local everyMs, entries = ARGV[1], ARGV[2]
local maxJobs, graceMs, oldMs = 100, 5000, 60000
local removed, missing, old = {}, {}, {}
if not redis.call('SET', prefix .. 'swept', now, 'NX', 'PX', everyMs) then return {removed, missing, old} end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'ended', 0, now, 'LIMIT', 0, maxJobs)) do
  local id, owner = string.match(member, '^(%S+) (%S*)$')
  redis.call('ZREM', prefix .. 'ended', member)
  redis.call('ZREM', prefix .. 'owner:' .. owner, id)
  redis.call('UNLINK', job(id), job(id, 'results'))
  removed[#removed + 1] = id
end
local function look(id, list)
  if redis.call('EXISTS', job(id)) == 0 then
    redis.call('ZREM', prefix .. list, id)
    return
  end
  for _, chunk in ipairs(issue(id)) do missing[#missing + 1] = {id, chunk} end
  local flight = redis.call('ZRANGEBYSCORE', job(id, 'flight'), 0, now - graceMs, 'WITHSCORES')
  for k = 1, #flight, 2 do
    local chunk = flight[k]
    if redis.call('EXISTS', entries .. id .. '-' .. chunk) == 0 then missing[#missing + 1] = {id, chunk}
    elseif now - flight[k + 1] > oldMs then old[#old + 1] = {id, chunk} end
  end
end
for _, list in ipairs({'running', 'queued'}) do
  local size = redis.call('ZCARD', prefix .. list)
  local at = tonumber(redis.call('GET', prefix .. 'swept:' .. list) or 0)
  if at >= size then at = 0 end
  for _, id in ipairs(redis.call('ZRANGE', prefix .. list, at, at + maxJobs - 1)) do look(id, list) end
  redis.call('SET', prefix .. 'swept:' .. list, at + maxJobs, 'PX', 60000)
end
return {removed, missing, old}
`);
