/** The prefix of all keys of jobs. A cluster keeps keys with the same text in braces together. */
export const jobsPrefix = 'sardonyx:{jobs}:';

/** The name of BullMQ's queue. Its keys begin with the prefix, `q:` and this name. */
export const queueName = 'chunks';

/** The prefix that BullMQ gets, without its last colon. */
export function bullPrefix(prefix: string): string {
  return `${prefix}q`;
}

/**
 * What the scripts of jobs share. The keys, each after the prefix:
 *
 * | key | content |
 * | --- | --- |
 * | `job:ID` | a hash: the job's record, its state, its counts |
 * | `job:ID:rows`, `job:ID:results` | hashes by the number of a chunk: bytes, or the name of a file |
 * | `job:ID:flight` | the chunks that BullMQ's queue has, by the time of their issue |
 * | `owner:TAG` | the ids of an owner's jobs |
 * | `queued`, `running` | the ids of the jobs that wait or run, by the time of their acceptance |
 * | `ended` | the ids and owners of ended jobs, by the time of their removal |
 * | `key:DIGEST` | the job of an idempotency key, and the digest of its rows |
 */
export const sharedLua = `
local prefix = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- How many chunks of one job are in the queue: the jobs take turns, and a small one does not wait for a large one.
local window = 32

local function job(id, part) return prefix .. 'job:' .. id .. (part and (':' .. part) or '') end
local function field(id, name) return redis.call('HGET', job(id), name) end
local function is_open(id)
  local state = field(id, 'state')
  return state == 'queued' or state == 'running'
end

-- Chunks that are to be added to the queue from now on.
local function issue(id)
  local count, issued = tonumber(field(id, 'count')), tonumber(field(id, 'issued'))
  local chunks = {}
  local flying = redis.call('ZCARD', job(id, 'flight'))
  while issued < count and flying + #chunks < window do
    redis.call('ZADD', job(id, 'flight'), now, issued)
    chunks[#chunks + 1] = issued
    issued = issued + 1
  end
  if #chunks > 0 then redis.call('HSET', job(id), 'issued', issued) end
  return chunks
end

local function finish(id, state, failure, keep)
  redis.call('HSET', job(id), 'state', state, 'endedAt', now)
  if failure ~= '' then redis.call('HSET', job(id), 'failure', failure) end
  redis.call('UNLINK', job(id, 'rows'), job(id, 'flight'))
  redis.call('ZREM', prefix .. 'queued', id)
  redis.call('ZREM', prefix .. 'running', id)
  redis.call('ZADD', prefix .. 'ended', now + keep, id .. ' ' .. field(id, 'owner'))
  redis.call('PEXPIRE', job(id), keep)
  redis.call('PEXPIRE', job(id, 'results'), keep)
  local key = field(id, 'key')
  if key and key ~= '' then redis.call('PEXPIRE', prefix .. 'key:' .. key, keep) end
end

local function read(id)
  return {redis.call('HGETALL', job(id)), redis.call('HLEN', job(id, 'results'))}
end
`;
