import type { FastifyContextConfig, FastifyInstance, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import type { RawRequest } from '../addresses/forwarded-for.js';
import type { ApiKey } from '../auth/api-key.js';
import { isLoopback } from '../auth/auth-mode.js';
import type { Config } from '../config/read-config.js';
import { ServiceError } from '../errors.js';
import type { Limiter, LimitResult } from '../rate-limit/limiter.js';
import { createMemoryLimiter } from '../rate-limit/memory-limiter.js';
import {
  type CountedBy,
  choosePolicies,
  createPolicy,
  type Policy,
  toRateLimit,
  toWholeSeconds,
} from '../rate-limit/policy.js';
import { createRedisLimiter } from '../rate-limit/redis-limiter.js';
import { createSharedLimiter } from '../rate-limit/shared-limiter.js';
import { readWindowMs } from '../time/duration.js';
import { limitPrefix } from './redis.js';

/** What takes the headers of an answer. */
export interface HeaderSink {
  header(name: string, value: string): unknown;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What an open route counts: `documents` unless it says `none`, as probes and scrapes do. They cost little, and
     * their refusal would take a server out of its service. Other routes are counted by key or address.
     */
    limit?: 'documents' | 'none';
    /** Whether its requests are counted at all. */
    isLimited?: boolean;
  }
  interface FastifyInstance {
    /** Counts a request by its key or its client, and gives the refusal of one above the limit. */
    readonly countRequest: (
      request: RawRequest,
      key: ApiKey | null,
      sink: HeaderSink,
      then: (refusal?: ServiceError) => void,
    ) => void;
  }
}

export type LimitConfig = Pick<Config, 'HOST' | 'RATE_LIMIT_MAX' | 'RATE_LIMIT_WINDOW'>;

/** Who is counted, under which id, against what. */
interface Counted {
  readonly by: CountedBy;
  readonly id: string;
  readonly policy: Policy;
}

/** What the logs of all addresses may take: 90,000 addresses that came once, or 24,000 that came 100 times. */
const maxAddressBytes = 32 * 1_024 * 1_024;

/**
 * Counts requests by key, or by address where there is none, and refuses those above the limit, before their body is
 * read. Wrong keys are not counted here: the gate has a limit for them. With a Redis the limits hold for all that share
 * it; in memory alone nothing here waits.
 */
export default fp<LimitConfig>(
  async function limitsPlugin(app, config) {
    const windowMs = readWindowMs(config.RATE_LIMIT_WINDOW);
    const policies = choosePolicies(config.RATE_LIMIT_MAX, windowMs, isLoopback(config.HOST));
    // Apart, so that a flood of addresses makes nobody forget a key; there are as many keys as were given out.
    const redis = app.redis && createRedisLimiter(app.redis, limitPrefix);
    const createLimiter = (prefix: string, maxBytes: number): Limiter => {
      const memory = createMemoryLimiter({ maxBytes });
      return redis === null ? memory : createSharedLimiter(redis, prefix, memory);
    };
    const limiters: Readonly<Record<CountedBy, Limiter>> = {
      key: createLimiter('key:', Number.POSITIVE_INFINITY),
      address: createLimiter(`address:${windowMs}:`, maxAddressBytes),
      // In this process alone: it is the thread of this process that they take.
      documents: createMemoryLimiter({ maxBytes: maxAddressBytes }),
    };
    const refusals = app.metrics.counter('rate_limited_total', 'Requests above the limit of their client');
    const refused = {
      key: refusals.series({ by: 'key' }),
      address: refusals.series({ by: 'address' }),
      documents: refusals.series({ by: 'documents' }),
    };
    const ofKeys = new WeakMap<ApiKey, Counted | 'free'>();

    const findCounted = (request: RawRequest, key: ApiKey | null): Counted | undefined => {
      if (key === null) {
        const policy = policies.address;
        return policy && { by: 'address', id: app.clientOf(request), policy };
      }
      let counted = ofKeys.get(key);
      if (counted === undefined) {
        counted = toCounted(key, policies.key) ?? 'free';
        ofKeys.set(key, counted);
      }
      return counted === 'free' ? undefined : counted;
    };

    /** Tells an answer what is left, and gives the refusal, if it is one. */
    const settle = (sink: HeaderSink, { by, policy }: Counted, verdict: LimitResult) => {
      sink.header('ratelimit-policy', policy.header);
      sink.header('ratelimit', toRateLimit(policy, verdict));
      if (verdict.isAdmitted) return undefined;
      refused[by].add(1);
      const retryAfterSeconds = toWholeSeconds(verdict.resetMs);
      return new ServiceError('rate_limited', { detail: policy.detail, retryAfterSeconds });
    };
    type Count = FastifyInstance['countRequest'];
    const count: Count = (request, key, sink, then) => take(findCounted(request, key), sink, then);
    const take = (counted: Counted | undefined, sink: HeaderSink, then: Parameters<Count>[3]): void => {
      const verdict = counted && limiters[counted.by].take(counted.id, counted.policy.limit, 1);
      if (counted === undefined || verdict === undefined) then();
      else if (!(verdict instanceof Promise)) then(settle(sink, counted, verdict));
      else verdict.then((later) => then(settle(sink, counted, later)), then);
    };

    app.decorate('countRequest', count);
    const countRouted: onRequestHookHandler = ({ raw, key }, reply, done) => count(raw, key, reply, done);
    const countDocument: onRequestHookHandler = ({ raw }, reply, done) => {
      const policy = policies.documents;
      take(policy && { by: 'documents', id: app.clientOf(raw), policy }, reply, done);
    };
    app.addHook('onRoute', (route) => {
      const { scope, limit } = route.config ?? {};
      if (limit === 'none') return;
      route.config = { ...(route.config as FastifyContextConfig), isLimited: true };
      route.onRequest = [...[route.onRequest ?? []].flat(), scope === 'open' ? countDocument : countRouted];
    });
    app.addHook('onClose', async () => {
      for (const limiter of Object.values(limiters)) limiter.close();
    });
  },
  { name: 'limits', fastify: '5.x', dependencies: ['metrics', 'redis', 'auth', 'client-address'] },
);

/** Undefined where a key has no limit. Those of one client with the same window share one count. */
function toCounted({ id, limit }: ApiKey, common: Policy | undefined): Counted | undefined {
  const policy = limit === undefined ? common : createPolicy(limit, 'key');
  return policy && { by: 'key', id: `${policy.limit.windowMs}:${id}`, policy };
}
