import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { inject } from 'vitest';

export interface SharedRedis extends AsyncDisposable {
  readonly url: string;
  /** Random. At the end only keys with this prefix are removed. */
  readonly prefix: string;
  /** For reading and changing keys directly. */
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
