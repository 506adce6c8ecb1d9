import type { RedisLink } from '../redis/redis-link.js';
import { runScript } from '../redis/script.js';
import type { Limit, LimitResult } from './limiter.js';
import { answersOfGroup, takeScript } from './sliding-window-script.js';

/** Counts for all processes that ask the same Redis. Undefined where it did not answer; never rejects. */
export interface RedisLimiter {
  take(id: string, limit: Limit, cost: number): Promise<LimitResult | undefined>;
}

/** Requests of one turn that differ in nothing: they are let in one after the other, as many as fit. */
interface Group {
  readonly id: string;
  readonly limit: Limit;
  readonly cost: number;
  readonly waiting: ((verdict: LimitResult | undefined) => void)[];
}

/**
 * Keeps the promise of a limit over all processes, by one log an id in Redis and by Redis's clock. What is asked for in
 * one turn of the loop is asked of Redis with one command: a busy server asks once for dozens of requests, and those
 * of one id are one entry of its log.
 *
 * One script with many keys, rather than a pipeline of scripts with one: half of Redis's work for a script is to
 * start it. A Redis Cluster would want each key where its hash says, and is not supported.
 */
export function createRedisLimiter(
  link: Pick<RedisLink, 'ask' | 'recordDegraded'>,
  prefix: string,
): RedisLimiter {
  let groups: Group[] = [];
  /** The last group of an id. */
  let groupsById = new Map<string, Group>();

  const flush = async (): Promise<void> => {
    const asked = groups;
    groups = [];
    groupsById = new Map();
    const reply = await link.ask('limits', (redis) => {
      const keys = asked.map(({ id }) => prefix + id);
      const args = asked.flatMap(({ limit: { max, windowMs }, cost, waiting }) => [
        max,
        windowMs * 1_000,
        cost,
        waiting.length,
      ]);
      return runScript(redis, takeScript, keys, args);
    });
    const answers = areAnswers(reply, asked) ? reply : undefined;
    if (answers === undefined && reply !== undefined) link.recordDegraded('limits');
    for (const [k, group] of asked.entries()) tell(group, answers, k * answersOfGroup);
  };

  return {
    take: (id, limit, cost) =>
      new Promise((resolve) => {
        // The sockets have been read when this comes, and with them the requests of this turn.
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

/** Each its own verdict: the first that came are those that are let in. */
function tell({ cost, waiting }: Group, answers: readonly number[] | undefined, at: number): void {
  const [taken = 0, left = 0, moreInUs = 0, freeInUs = 0] = answers?.slice(at, at + answersOfGroup) ?? [];
  for (const [k, resolve] of waiting.entries()) {
    if (answers === undefined) resolve(undefined);
    else if (k >= taken) resolve({ isAdmitted: false, remaining: left, resetMs: freeInUs / 1_000 });
    else {
      const remaining = left + (taken - 1 - k) * cost;
      resolve({ isAdmitted: true, remaining, resetMs: moreInUs / 1_000 });
    }
  }
}

/** Whether Redis gave what the script can give: no more than was asked for, and no time beyond the window. */
function areAnswers(reply: unknown, asked: readonly Group[]): reply is readonly number[] {
  if (!Array.isArray(reply) || reply.length !== asked.length * answersOfGroup) return false;
  return asked.every(({ limit, waiting }, k) => {
    const mostUs = limit.windowMs * 1_000;
    const most = [waiting.length, limit.max, mostUs, mostUs];
    return most.every((limitOf, n) => isWithin(reply[k * answersOfGroup + n], limitOf));
  });
}

function isWithin(value: unknown, most: number): boolean {
  return typeof value === 'number' && value >= 0 && value <= most;
}
