import fp from 'fastify-plugin';
import { type Config, ConfigError } from '../config.js';
import { messageOf } from '../errors.js';
import { type RedisAddress, readRedisAddress } from '../redis/redis-address.js';
import type { RedisLink } from '../redis/redis-link.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Null where no Redis is configured. One that is away is not null. */
    readonly redis: RedisLink | null;
  }
}

/** Begins every key of ours in a Redis that may be shared with others. */
export const redisPrefix = 'sardonyx:';

type RedisConfig = Pick<Config, 'REDIS_URL' | 'REDIS_TIMEOUT_MS'>;

/**
 * The connection to Redis, made in the background: one that is down never delays or fails the start. Counts each
 * decision to go on without it, and logs one line when it goes and one when it is back.
 */
export default fp<RedisConfig>(
  async function redisPlugin(app, { REDIS_URL: url, REDIS_TIMEOUT_MS: answerTimeoutMs }) {
    if (url === undefined) {
      app.decorate('redis', null);
      return;
    }
    const degraded = app.metrics.counter(
      'degraded_total',
      'Decisions to go on without Redis, by who took them',
    );
    const counters = {
      cache: degraded.series({ part: 'cache' }),
      limits: degraded.series({ part: 'limits' }),
    };
    // Only here: what it stands on takes 0.1 s and 6 MB of a start that has no use for it.
    const { createRedisLink } = await import('../redis/redis-link.js');
    const link = createRedisLink(readAddress(url), {
      prefix: redisPrefix,
      answerTimeoutMs,
      onDegraded: (part) => counters[part].add(1),
      onChange: (change) => {
        if (change.state === 'up') app.log.info({ away_ms: Math.round(change.awayMs) }, 'Redis is up');
        else app.log.warn({ reason: change.reason, err: change.error }, `Redis is down: ${change.reason}`);
      },
    });
    app.decorate('redis', link);
    app.addHook('onClose', () => link.close());
  },
  { name: 'redis', fastify: '5.x', dependencies: ['metrics'] },
);

function readAddress(url: string): RedisAddress {
  try {
    return readRedisAddress(url);
  } catch (error) {
    throw new ConfigError([`REDIS_URL: ${messageOf(error)}`]);
  }
}
