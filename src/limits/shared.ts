import type { Limiter } from './limiter.js';
import type { RedisLimiter } from './redis.js';

/**
 * Counts in Redis for all processes, and while Redis is away in this one alone: whatever happens to Redis, a client
 * gets no more in any window than its limit from Redis, and its limit from each process. Each request asks Redis, or the
 * link that knows that it is away, so it goes back by itself. `prefix` sets its ids apart from those of others.
 */
export function createSharedLimiter(redis: RedisLimiter, prefix: string, memory: Limiter): Limiter {
  return {
    async take(id, limit, cost) {
      return (await redis.take(prefix + id, limit, cost)) ?? memory.take(id, limit, cost);
    },
    close: () => memory.close(),
  };
}
