import { defineJobScript } from './run-script.js';
import { sharedLua } from './script-parts.js';

/** Returns the time of Redis in milliseconds since 1970, and the number of jobs that wait or run. */
export const beginScript = defineJobScript(`${sharedLua}
return {now, redis.call('ZCARD', prefix .. 'queued') + redis.call('ZCARD', prefix .. 'running')}
`);

/** Stores the rows of a chunk of a draft. ARGV: id, chunk, rows, milliseconds until the draft expires. */
export const spoolScript = defineJobScript(`${sharedLua}
redis.call('HSET', job(ARGV[1], 'rows'), ARGV[2], ARGV[3])
redis.call('PEXPIRE', job(ARGV[1], 'rows'), ARGV[4])
return {}
`);

/**
 * Makes a draft a job, unless it runs too late: then the submitter has given up. ARGV: id, owner, record, chunks (JSON),
 * number of chunks, bytes of the rows in Redis, deadline, limit of open jobs, idempotency key or '', digest. Returns
 * `accepted` with the time and the first chunks for the queue; `earlier` with an id; or `late`, `conflict`, `full`,
 * `gone`.
 */
export const acceptScript = defineJobScript(`${sharedLua}
local id, owner, record, chunks, count, bytes, deadline, limit, key, digest = unpack(ARGV)
if now > tonumber(deadline) then return {'late'} end
if key ~= '' then
  local known = redis.call('GET', prefix .. 'key:' .. key)
  local earlier, earlierDigest
  if known then earlier, earlierDigest = string.match(known, '^(%S+) (%S+)$') end
  if earlier and redis.call('EXISTS', job(earlier)) == 1 then
    if earlierDigest ~= digest then return {'conflict'} end
    -- The first submitter may have got no answer. It must not revoke a job whose id a second submitter has.
    redis.call('HSET', job(earlier), 'confirmed', 1)
    return {'earlier', earlier}
  end
end
local open = redis.call('ZCARD', prefix .. 'queued') + redis.call('ZCARD', prefix .. 'running')
if open >= tonumber(limit) then return {'full', open} end
if redis.call('HLEN', job(id, 'rows')) ~= tonumber(count) then return {'gone'} end
redis.call('HSET', job(id), 'owner', owner, 'record', record, 'chunks', chunks, 'count', count, 'bytes', bytes,
  'state', 'queued', 'acceptedAt', now, 'issued', 0, 'answered', 0, 'completed', 0, 'failed', 0, 'key', key)
redis.call('PERSIST', job(id, 'rows'))
redis.call('ZADD', prefix .. 'owner:' .. owner, 0, id)
redis.call('ZADD', prefix .. 'queued', now, id)
if key ~= '' then redis.call('SET', prefix .. 'key:' .. key, id .. ' ' .. digest) end
return {'accepted', now, issue(id)}
`);

/**
 * Removes a job and its rows, because its submitter does not know that the job was accepted. The job stays if a later
 * submission with the same idempotency key has got its id. An acceptance that comes after this script finds no rows, and
 * fails. ARGV: id. Returns `kept` or `removed`.
 */
export const revokeScript = defineJobScript(`${sharedLua}
local id = ARGV[1]
if field(id, 'confirmed') then return {'kept'} end
redis.call('UNLINK', job(id, 'rows'))
if redis.call('EXISTS', job(id)) == 0 then return {'removed'} end
local key = field(id, 'key')
if key ~= '' then redis.call('DEL', prefix .. 'key:' .. key) end
redis.call('ZREM', prefix .. 'owner:' .. field(id, 'owner'), id)
redis.call('ZREM', prefix .. 'queued', id)
redis.call('ZREM', prefix .. 'running', id)
redis.call('UNLINK', job(id), job(id, 'flight'), job(id, 'results'))
return {'removed'}
`);
