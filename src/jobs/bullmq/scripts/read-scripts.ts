import { defineJobScript } from './run-script.js';
import { sharedLua } from './script-parts.js';

/** ARGV: id. Returns the job's hash, empty for an unknown job, and the number of its chunks that have results. */
export const findScript = defineJobScript(`${sharedLua}
return read(ARGV[1])
`);

/** ARGV: owner, number of jobs, id after which the list begins or ''. Returns ids and their jobs, the latest first. */
export const listScript = defineJobScript(`${sharedLua}
local owner, limit, before = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local from = before == '' and '+' or ('(' .. before)
local jobs = {}
while #jobs < limit do
  local ids = redis.call('ZREVRANGEBYLEX', prefix .. 'owner:' .. owner, from, '-', 'LIMIT', 0, limit - #jobs)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    if redis.call('EXISTS', job(id)) == 1 then jobs[#jobs + 1] = {id, read(id)} end
  end
  from = '(' .. ids[#ids]
end
return jobs
`);

/** Returns the numbers of the jobs that wait and that run, and the acceptance of the oldest of each, or 0. */
export const countScript = defineJobScript(`${sharedLua}
local counts, oldest = {}, {}
for _, list in ipairs({'queued', 'running'}) do
  counts[#counts + 1] = redis.call('ZCARD', prefix .. list)
  local first = redis.call('ZRANGE', prefix .. list, 0, 0, 'WITHSCORES')
  oldest[#oldest + 1] = tonumber(first[2] or 0)
end
return {counts[1], counts[2], oldest[1], oldest[2]}
`);

/** ARGV: id, chunk. Returns the results of a chunk, or nothing. */
export const resultsScript = defineJobScript(`${sharedLua}
return {redis.call('HGET', job(ARGV[1], 'results'), ARGV[2])}
`);
