import { readRedisAddress } from '../../src/redis/connection/redis-address.js';
import type { LinkChange } from '../../src/redis/link-health.js';
import {
  createRedisLink,
  type Part,
  type RedisLink,
  type RedisLinkOptions,
} from '../../src/redis/redis-link.js';
import { startLoopTime } from './loop-time.js';

export interface TestLink extends AsyncDisposable {
  readonly link: RedisLink;
  /** All state changes that the link reported, in order. */
  readonly changes: readonly LinkChange[];
  /** All refused commands that the link reported. */
  readonly refused: readonly (readonly string[])[];
  /** Connections that were closed while Redis worked. */
  readonly reconnects: number;
  /** How often a request was handled without Redis. */
  readonly degraded: Readonly<Record<Part, number>>;
  /**
   * Resolves with the next change to a state, or with the last change if the link is in that state already. `withinMs`
   * is loop time of this process (`loop-time.ts`).
   */
  become(state: 'up' | 'down', withinMs?: number): Promise<LinkChange>;
}

/** A link to a Redis that records its reports. */
export function createTestLink(
  url: string,
  prefix = 'test:',
  answerTimeoutMs = 50,
  more: Pick<RedisLinkOptions, 'tlsFiles' | 'sentinelLogin'> = {},
): TestLink {
  const changes: LinkChange[] = [];
  const degraded = { cache: 0, limits: 0, feedback: 0, log: 0 };
  const refused: (readonly string[])[] = [];
  let reconnects = 0;
  const waiting = new Set<() => void>();
  const link = createRedisLink(readRedisAddress(url), {
    ...more,
    probeKey: `${prefix}{limit}:probe`,
    answerTimeoutMs,
    onRefusal: () => undefined,
    onRefused: (commands) => refused.push(commands),
    onReconnect: () => {
      reconnects += 1;
    },
    onDegraded: (part) => {
      degraded[part] += 1;
    },
    onChange: (change) => {
      changes.push(change);
      for (const wake of waiting) wake();
    },
  });
  return {
    link,
    changes,
    degraded,
    refused,
    get reconnects() {
      return reconnects;
    },
    become: (state, withinMs = 10_000) =>
      new Promise((resolve, reject) => {
        const time = startLoopTime();
        const end = () => {
          clearInterval(timer);
          time[Symbol.dispose]();
          waiting.delete(look);
        };
        const timer = setInterval(() => {
          if (time.elapsedMs() < withinMs) return;
          end();
          reject(new Error(`the link did not become ${state} within ${withinMs} ms`));
        }, 10);
        const look = () => {
          const last = changes.at(-1);
          if (last?.state !== state) return;
          end();
          resolve(last);
        };
        waiting.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () => link.close(),
  };
}
