import type { Limit, Limiter, LimitResult } from './limiter.js';
import type { RedisLimiter } from './redis-limiter.js';

/** A refusal by Redis, repeated without asking Redis again until `until`. */
interface Refusal {
  readonly limit: Limit;
  readonly cost: number;
  readonly remaining: number;
  readonly freeAt: number;
  readonly until: number;
}

/** Bounds the effect of clocks that differ in speed, and of a Redis that was emptied. */
const maxRefusalMs = 1_000;
const maxRefusals = 10_000;

/**
 * Counts in Redis for all processes, and in this process while Redis is away. Per window a client gets at most its
 * limit from Redis plus its limit from each process. A refused client is refused again without a command to Redis until
 * a place is free, for a second at most: a flood costs Redis nothing, and a slow Redis does not let it in.
 */
export function createSharedLimiter(
  redis: RedisLimiter,
  prefix: string,
  memory: Limiter,
  now: () => number = () => performance.now(),
): Limiter {
  const refusals = new Map<string, Refusal>();

  const ask = async (id: string, limit: Limit, cost: number): Promise<LimitResult> => {
    const result = await redis.take(prefix + id, limit, cost);
    if (result === undefined) return memory.take(id, limit, cost);
    if (!result.isAdmitted) {
      const { remaining, resetMs } = result;
      const moment = now();
      if (refusals.size >= maxRefusals) refusals.clear();
      const until = moment + Math.min(resetMs, maxRefusalMs);
      refusals.set(id, { limit, cost, remaining, freeAt: moment + resetMs, until });
    }
    return result;
  };

  return {
    take(id, limit, cost) {
      const refusal = refusals.get(id);
      if (refusal === undefined || refusal.limit !== limit || refusal.cost !== cost)
        return ask(id, limit, cost);
      const moment = now();
      if (moment < refusal.until) {
        return { isAdmitted: false, remaining: refusal.remaining, resetMs: refusal.freeAt - moment };
      }
      refusals.delete(id);
      return ask(id, limit, cost);
    },
    close: () => memory.close(),
  };
}
