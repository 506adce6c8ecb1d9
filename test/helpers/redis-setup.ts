import type { TestProject } from 'vitest/node';
import { startRedis } from './redis.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The Redis of this test run, which its tests share under prefixes of their own. */
    redisUrl: string;
  }
}

/** Starts the Redis of a test run, and stops it afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startRedis();
  project.provide('redisUrl', redis.url);
  return redis.stop;
}
