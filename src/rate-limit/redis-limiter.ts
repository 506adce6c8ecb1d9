import type { RedisLink } from '../redis/redis-link.js';
import { runScript } from '../redis/script.js';
import type { Limit, LimitResult } from './limiter.js';
import { resultsOfGroup, takeScript } from './sliding-window-script.js';

/** Counts for all processes on one Redis. Resolves with undefined if Redis does not answer in time; never rejects. */
export interface RedisLimiter {
  take(id: string, limit: Limit, cost: number): Promise<LimitResult | undefined>;
}

/** Requests of one turn with equal id, limit and cost. They are admitted in order of arrival, as many as fit. */
interface Group {
  readonly id: string;
  readonly limit: Limit;
  readonly cost: number;
  readonly waiting: ((result: LimitResult | undefined) => void)[];
}

/**
 * Enforces limits across all processes, with one log per id in Redis. All requests of one turn of the loop become one
 * command, since half of Redis's work for a script is to start it. So `prefix` must put all keys in one cluster slot.
 */
export function createRedisLimiter(
  link: Pick<RedisLink, 'ask' | 'recordDegraded'>,
  prefix: string,
): RedisLimiter {
  let groups: Group[] = [];
  let groupsById = new Map<string, Group>();

  const flush = async (): Promise<void> => {
    const sent = groups;
    groups = [];
    groupsById = new Map();
    const reply = await link.ask('limits', (redis) => {
      const keys = sent.map(({ id }) => prefix + id);
      const args = sent.flatMap(({ limit: { max, windowMs }, cost, waiting }) => [
        max,
        windowMs * 1_000,
        cost,
        waiting.length,
      ]);
      return runScript(redis, takeScript, keys, args);
    });
    const results = areResults(reply, sent) ? reply : undefined;
    if (results === undefined && reply !== undefined) link.recordDegraded('limits');
    for (const [k, group] of sent.entries()) resolveGroup(group, results, k * resultsOfGroup);
  };

  return {
    take: (id, limit, cost) =>
      new Promise((resolve) => {
        // By then the sockets are read, so all requests of this turn have arrived.
        if (groups.length === 0) setImmediate(flush);
        const known = groupsById.get(id);
        if (known !== undefined && known.limit === limit && known.cost === cost) {
          known.waiting.push(resolve);
          return;
        }
        const group: Group = { id, limit, cost, waiting: [resolve] };
        groups.push(group);
        groupsById.set(id, group);
      }),
  };
}

function resolveGroup({ cost, waiting }: Group, results: readonly number[] | undefined, at: number): void {
  const [taken = 0, left = 0, moreInUs = 0, freeInUs = 0] = results?.slice(at, at + resultsOfGroup) ?? [];
  for (const [k, resolve] of waiting.entries()) {
    if (results === undefined) resolve(undefined);
    else if (k >= taken) resolve({ isAdmitted: false, remaining: left, resetMs: freeInUs / 1_000 });
    else {
      const remaining = left + (taken - 1 - k) * cost;
      resolve({ isAdmitted: true, remaining, resetMs: moreInUs / 1_000 });
    }
  }
}

/** Whether the script can have returned this reply: no count above the request's, no time beyond the window. */
function areResults(reply: unknown, sent: readonly Group[]): reply is readonly number[] {
  if (!Array.isArray(reply) || reply.length !== sent.length * resultsOfGroup) return false;
  return sent.every(({ limit, waiting }, k) => {
    const maxUs = limit.windowMs * 1_000;
    const maxima = [waiting.length, limit.max, maxUs, maxUs];
    return maxima.every((max, n) => isWithin(reply[k * resultsOfGroup + n], max));
  });
}

function isWithin(value: unknown, max: number): boolean {
  return typeof value === 'number' && value >= 0 && value <= max;
}
