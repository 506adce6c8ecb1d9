import fp from 'fastify-plugin';
import type { AnswerCache, LocalCache } from '../cache/answer-cache.js';
import { CachedAnswers } from '../cache/cached-answers.js';
import { createMemoryCache } from '../cache/memory-cache.js';
import { createRedisCache } from '../cache/redis-cache.js';
import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';
import { redisPrefix } from './redis.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Undefined if `CACHE=off`. */
    readonly cachedAnswers: CachedAnswers | undefined;
  }
}

type CacheConfig = Pick<Config, 'CACHE' | 'CACHE_TTL_SECONDS' | 'CACHE_MAX_ENTRIES' | 'CACHE_MAX_MB'>;

/** Provides the cache of answers: in memory, in Redis, or in memory in front of Redis. */
export default fp<CacheConfig>(
  async function cachePlugin(app, config) {
    const createLocal = (): LocalCache =>
      createMemoryCache({
        ttlMs: config.CACHE_TTL_SECONDS * 1_000,
        maxEntries: config.CACHE_MAX_ENTRIES,
        maxBytes: config.CACHE_MAX_MB * 1_048_576,
      });
    const createRemote = (): AnswerCache => {
      if (app.redis === null) throw new ConfigError([`CACHE: ${config.CACHE} needs a REDIS_URL`]);
      const corrupt = app.metrics
        .counter('prediction_cache_corrupt_total', 'Corrupt cache entries that were removed from Redis')
        .series({});
      return createRedisCache(app.redis, {
        prefix: redisPrefix,
        ttlSeconds: config.CACHE_TTL_SECONDS,
        onCorrupt: () => corrupt.add(1),
      });
    };
    const cached = createCached(
      config.CACHE ?? (app.redis === null ? 'memory' : 'tiered'),
      createLocal,
      createRemote,
    );
    app.decorate('cachedAnswers', cached);
    app.addHook('onClose', async () => cached?.close());
  },
  { name: 'cache', fastify: '5.x', dependencies: ['metrics', 'redis'] },
);

function createCached(
  kind: NonNullable<Config['CACHE']>,
  createLocal: () => LocalCache,
  createRemote: () => AnswerCache,
): CachedAnswers | undefined {
  switch (kind) {
    case 'off':
      return undefined;
    case 'memory':
      return new CachedAnswers(createLocal());
    case 'redis':
      return new CachedAnswers(undefined, createRemote());
    case 'tiered':
      return new CachedAnswers(createLocal(), createRemote());
    default:
      return kind satisfies never;
  }
}
