import { createHash } from 'node:crypto';
import type { Commands } from './connection/connection.js';
import { OutOfStepError } from './out-of-step.js';

export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/** The last argument identifies a run, and is returned as the last item of the reply. `body` must return a list. */
export function defineScript(body: string): Script {
  const source = `
local function run()
${body}
end
local reply = run()
if not reply.err then reply[#reply + 1] = ARGV[#ARGV] end
return reply
`;
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

let runs = 0;

/**
 * Runs a script by its digest, and by its source if Redis does not know it, as after a restart. Call it within `ask`:
 * it rejects as a command does, and with `OutOfStepError` for the reply of another run.
 */
export async function runScript(
  redis: Commands,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<readonly unknown[]> {
  runs += 1;
  const run = `run ${runs}`;
  const reply = await evaluate(redis, script, keys, [...args, run]);
  if (!Array.isArray(reply) || reply.at(-1) !== run) throw new OutOfStepError();
  return reply.slice(0, -1);
}

async function evaluate(
  redis: Commands,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return redis.eval(script.source, keys.length, ...keys, ...args);
  }
}
