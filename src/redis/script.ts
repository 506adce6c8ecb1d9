import { createHash } from 'node:crypto';
import type { Commands } from './connection/connection.js';

/** A Lua script, which Redis runs as one step. */
export interface Script {
  readonly source: string;
  /** The name under which a Redis that has run it once knows it. */
  readonly sha1: string;
}

export function defineScript(source: string): Script {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

/**
 * Runs a script by its name, and by its source where Redis does not know it (yet, or no longer: after a restart).
 * Rejects as a command does: to be called in `ask`.
 */
export async function runScript(
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
