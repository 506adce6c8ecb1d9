import type { Limit, Limiter, LimitResult } from './limiter.js';
import type { RedisLimiter } from './redis-limiter.js';

/** What Redis has said of who was refused, and until when it is taken for granted. */
interface Bar {
  readonly limit: Limit;
  readonly cost: number;
  readonly remaining: number;
  readonly freeAt: number;
  readonly until: number;
}

/** A second: so that two clocks that differ in speed do not matter, nor that somebody empties Redis. */
const maxBarMs = 1_000;
const maxBars = 10_000;

/**
 * Counts in Redis for all processes, and while Redis is away in this one alone: whatever happens to Redis, a client
 * gets no more in any window than its limit from Redis, and its limit from each process. Each request asks Redis, or the
 * link that knows that it is away, so it goes back by itself.
 *
 * Who was refused is refused without asking until a place is free, for a second at most: nothing else can free one. So
 * a flood costs Redis nothing, and gains nothing where Redis is late for a moment. `prefix` sets the ids apart from
 * those of others.
 */
export function createSharedLimiter(
  redis: RedisLimiter,
  prefix: string,
  memory: Limiter,
  now: () => number = () => performance.now(),
): Limiter {
  const bars = new Map<string, Bar>();

  const ask = async (id: string, limit: Limit, cost: number): Promise<LimitResult> => {
    const verdict = await redis.take(prefix + id, limit, cost);
    if (verdict === undefined) return memory.take(id, limit, cost);
    if (!verdict.isAdmitted) {
      const { remaining, resetMs } = verdict;
      const moment = now();
      if (bars.size >= maxBars) bars.clear();
      const until = moment + Math.min(resetMs, maxBarMs);
      bars.set(id, { limit, cost, remaining, freeAt: moment + resetMs, until });
    }
    return verdict;
  };

  return {
    take(id, limit, cost) {
      const bar = bars.get(id);
      if (bar === undefined || bar.limit !== limit || bar.cost !== cost) return ask(id, limit, cost);
      const moment = now();
      if (moment < bar.until) {
        return { isAdmitted: false, remaining: bar.remaining, resetMs: bar.freeAt - moment };
      }
      bars.delete(id);
      return ask(id, limit, cost);
    },
    close: () => memory.close(),
  };
}
