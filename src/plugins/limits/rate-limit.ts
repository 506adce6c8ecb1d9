import type { FastifyContextConfig, FastifyInstance, onRequestHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import type { RawRequest } from '../../addresses/forwarded-for.js';
import type { ApiKey } from '../../auth/api-key.js';
import { isLoopback } from '../../auth/auth-mode.js';
import type { Config } from '../../config/read-config.js';
import { ServiceError } from '../../errors.js';
import type { Limiter, LimitResult } from '../../rate-limit/limiter.js';
import { createMemoryLimiter } from '../../rate-limit/memory-limiter.js';
import {
  type CountedBy,
  choosePolicies,
  createPolicy,
  type HeaderSink,
  type Policy,
  toRateLimit,
  toWholeSeconds,
} from '../../rate-limit/policy.js';
import { createRedisLimiter } from '../../rate-limit/redis-limiter.js';
import { createSharedLimiter } from '../../rate-limit/shared-limiter.js';
import { readWindowMs } from '../../time/duration.js';
import { limitPrefix } from '../redis.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The limit of an open route, `documents` by default. Probes and scrapes have `none`: they cost little, and a
     * refused probe would take the server out of service. Other routes are limited by key or address.
     */
    limit?: 'documents' | 'none';
    isLimited?: boolean;
  }
  interface FastifyInstance {
    /** Counts a request of a key or an address. Calls back with an error if the request exceeds the limit. */
    readonly countRequest: (
      request: RawRequest,
      key: ApiKey | null,
      sink: HeaderSink,
      then: (refusal?: ServiceError) => void,
    ) => void;
  }
}

export type LimitConfig = Pick<Config, 'HOST' | 'RATE_LIMIT_MAX' | 'RATE_LIMIT_WINDOW'>;

interface Counted {
  readonly by: CountedBy;
  readonly id: string;
  readonly policy: Policy;
}

/** Memory for all addresses: enough for 90,000 addresses with 1 request each, or 24,000 with 100 requests each. */
const maxAddressBytes = 32 * 1_024 * 1_024;

/**
 * Counts requests by key, or by address without a key, and refuses those above the limit before their body is read.
 * Failed authentication has a limit of its own, in `auth/`. With Redis, all servers that use it share the limits.
 * Without Redis, the count is synchronous.
 */
export default fp<LimitConfig>(
  async function rateLimitPlugin(app, config) {
    const windowMs = readWindowMs(config.RATE_LIMIT_WINDOW);
    const policies = choosePolicies({
      max: config.RATE_LIMIT_MAX,
      windowMs,
      isLoopback: isLoopback(config.HOST),
    });
    // Separate limiters, so that a flood of addresses evicts no key. Keys need no bound: operators create them.
    const redis = app.redis && createRedisLimiter(app.redis, limitPrefix);
    const createLimiter = (prefix: string, maxBytes: number): Limiter => {
      const memory = createMemoryLimiter({ maxBytes });
      return redis === null ? memory : createSharedLimiter(redis, prefix, memory);
    };
    const limiters: Readonly<Record<CountedBy, Limiter>> = {
      key: createLimiter('key:', Number.POSITIVE_INFINITY),
      address: createLimiter(`address:${windowMs}:`, maxAddressBytes),
      // Not shared, because documents cost the thread of this process only.
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

    /** Sets the headers of the limit, and returns an error if the request was not admitted. */
    const settle = (sink: HeaderSink, { by, policy }: Counted, result: LimitResult) => {
      sink.header('ratelimit-policy', policy.header);
      sink.header('ratelimit', toRateLimit(policy, result));
      if (result.isAdmitted) return undefined;
      refused[by].add(1);
      const retryAfterSeconds = toWholeSeconds(result.resetMs);
      return new ServiceError('rate_limited', { detail: policy.detail, retryAfterSeconds });
    };
    type Count = FastifyInstance['countRequest'];
    const count: Count = (request, key, sink, then) => take(findCounted(request, key), sink, then);
    const take = (counted: Counted | undefined, sink: HeaderSink, then: Parameters<Count>[3]): void => {
      const result = counted && limiters[counted.by].take(counted.id, counted.policy.limit, 1);
      if (counted === undefined || result === undefined) then();
      else if (!(result instanceof Promise)) then(settle(sink, counted, result));
      else result.then((later) => then(settle(sink, counted, later)), then);
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
  { name: 'rate-limit', fastify: '5.x', dependencies: ['metrics', 'redis', 'auth', 'client-address'] },
);

/** Undefined if the key has no limit. Keys of one client with the same window share one count. */
function toCounted({ id, limit }: ApiKey, common: Policy | undefined): Counted | undefined {
  const policy = limit === undefined ? common : createPolicy(limit, 'key');
  return policy && { by: 'key', id: `${policy.limit.windowMs}:${id}`, policy };
}
