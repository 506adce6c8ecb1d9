import { createHash } from 'node:crypto';
import type { QueueClient } from '../../../redis/connection/queue-client.js';

/** A Lua script that runs alone in Redis. Its only key is the prefix of all keys of jobs, which are in one slot. */
export interface JobScript {
  readonly source: string;
  readonly sha1: string;
}

/** What a script returned: bytes, since rows and results may be compressed. */
export type Reply = Buffer | number | null | readonly Reply[];

export function defineJobScript(source: string): JobScript {
  return { source, sha1: createHash('sha1').update(source).digest('hex') };
}

/** Runs a script by its digest, and by its source if Redis does not know it, as after a restart. */
export async function runJobScript(
  redis: QueueClient,
  { source, sha1 }: JobScript,
  prefix: string,
  args: readonly (string | number | Buffer)[],
): Promise<readonly Reply[]> {
  const rest = [1, prefix, ...args];
  try {
    return (await redis.callBuffer('EVALSHA', [sha1, ...rest])) as readonly Reply[];
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return (await redis.callBuffer('EVAL', [source, ...rest])) as readonly Reply[];
  }
}

export function textOf(reply: Reply | undefined): string {
  return reply instanceof Buffer ? reply.toString('utf8') : String(reply ?? '');
}

export function bytesOf(reply: Reply | undefined): Buffer | undefined {
  return reply instanceof Buffer ? reply : undefined;
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : [];
}
