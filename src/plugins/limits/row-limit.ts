import type { FastifyReply } from 'fastify';
import fp from 'fastify-plugin';
import type { ApiKey } from '../../auth/api-key.js';
import { isLoopback } from '../../auth/auth-mode.js';
import type { Config } from '../../config/read-config.js';
import { CostWindow } from '../../rate-limit/cost-window.js';
import type { LimitResult } from '../../rate-limit/limiter.js';
import { createMemoryLimiter } from '../../rate-limit/memory-limiter.js';
import { chooseRowPolicy, type Policy, toRateLimit } from '../../rate-limit/policy.js';
import { createRedisLimiter } from '../../rate-limit/redis-limiter.js';
import { createRowLimit, type RowLimit } from '../../rate-limit/row-limit.js';
import { createSharedLimiter } from '../../rate-limit/shared-limiter.js';
import { readWindowMs } from '../../time/duration.js';
import { limitPrefix } from '../redis.js';
import type { LimitConfig } from './rate-limit.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The limit on the rows of this client; undefined if it has none. The answer shows it in its headers. */
    readonly rowLimitOf: (request: FastifyRequest, reply: FastifyReply) => RowLimit | undefined;
  }
}

export type RowLimitConfig = LimitConfig & Pick<Config, 'RATE_LIMIT_ROWS'>;

/** Memory for all addresses: enough for 70,000 addresses with up to 4 requests in a window. */
const maxAddressBytes = 32 * 1_024 * 1_024;

/**
 * Counts the rows of requests that may have many, by key or by address. Such a request counts as one for the other
 * limits, whatever the number of its rows. The count is known only once the body has been read.
 */
export default fp<RowLimitConfig>(
  async function rowLimitPlugin(app, config) {
    const settings = {
      max: config.RATE_LIMIT_MAX,
      rows: config.RATE_LIMIT_ROWS,
      windowMs: readWindowMs(config.RATE_LIMIT_WINDOW),
      isLoopback: isLoopback(config.HOST),
    };
    const ofAddress = chooseRowPolicy(settings, null);
    const createWindow = () => new CostWindow();
    const redis = app.redis && createRedisLimiter(app.redis, limitPrefix);
    const createLimiter = (prefix: string, maxBytes: number) => {
      const memory = createMemoryLimiter({ maxBytes, createWindow });
      return redis === null ? memory : createSharedLimiter(redis, prefix, memory);
    };
    const limiters = {
      key: createLimiter('rows:key:', Number.POSITIVE_INFINITY),
      address: createLimiter('rows:address:', maxAddressBytes),
    };
    const refused = app.metrics
      .counter('rate_limited_total', 'Requests above the limit of their client')
      .series({ by: 'rows' });
    /** One object for each key: limiters compare limits by identity. */
    const ofKeys = new WeakMap<ApiKey, Policy | 'free'>();

    const policyOf = (key: ApiKey | null): Policy | undefined => {
      if (key === null) return ofAddress;
      const policy = ofKeys.get(key) ?? chooseRowPolicy(settings, key) ?? 'free';
      ofKeys.set(key, policy);
      return policy === 'free' ? undefined : policy;
    };

    app.decorate('rowLimitOf', ({ key, raw }, reply) => {
      const policy = policyOf(key);
      if (policy === undefined) return undefined;
      const onResult = (result: LimitResult | undefined) => {
        addToList(reply, 'ratelimit-policy', policy.header);
        if (result === undefined) return;
        if (!result.isAdmitted) refused.add(1);
        addToList(reply, 'ratelimit', toRateLimit(policy, result));
      };
      const id = `${policy.limit.windowMs}:${key === null ? app.clientOf(raw) : key.id}`;
      return createRowLimit(limiters[key === null ? 'address' : 'key'], id, policy, onResult);
    });
    app.addHook('onClose', async () => {
      for (const limiter of Object.values(limiters)) limiter.close();
    });
  },
  { name: 'row-limit', fastify: '5.x', dependencies: ['metrics', 'redis', 'auth', 'client-address'] },
);

/** Both headers are lists: that of the requests comes first. */
function addToList(reply: FastifyReply, name: string, item: string): void {
  const before = reply.getHeader(name);
  reply.header(name, before === undefined ? item : `${before}, ${item}`);
}
