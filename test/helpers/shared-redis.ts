import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { inject } from 'vitest';

export interface SharedRedis extends AsyncDisposable {
  readonly url: string;
  /** Random; what begins with it is removed at the end, and nothing else. */
  readonly prefix: string;
  /** For looking at what is there and for putting something in its place. */
  readonly client: Redis;
}

/** The Redis of this test run, for one test. */
export function openSharedRedis(): SharedRedis {
  const url = inject('redisUrl');
  const prefix = `test-${randomUUID()}:`;
  const client = new Redis(url);
  return {
    url,
    prefix,
    client,
    async [Symbol.asyncDispose]() {
      const keys = await client.keys(`${prefix}*`);
      if (keys.length > 0) await client.unlink(keys);
      await client.quit();
    },
  };
}
