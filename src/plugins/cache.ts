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
    /** Undefined where nothing is remembered. */
    readonly cachedAnswers: CachedAnswers | undefined;
  }
}

type CacheConfig = Pick<Config, 'CACHE' | 'CACHE_TTL_SECONDS' | 'CACHE_MAX_ENTRIES' | 'CACHE_MAX_MB'>;

/** Lends the predictor what remembers answers: this process, Redis, or one in front of the other. */
export default fp<CacheConfig>(
  async function cachePlugin(app, config) {
    const createNear = (): LocalCache =>
      createMemoryCache({
        ttlMs: config.CACHE_TTL_SECONDS * 1_000,
        maxEntries: config.CACHE_MAX_ENTRIES,
        maxBytes: config.CACHE_MAX_MB * 1_048_576,
      });
    const createFar = (): AnswerCache => {
      if (app.redis === null) throw new ConfigError([`CACHE: ${config.CACHE} needs a REDIS_URL`]);
      const corrupt = app.metrics
        .counter('prediction_cache_corrupt_total', 'Entries in Redis that were no answers, and were removed')
        .series({});
      return createRedisCache(app.redis, {
        prefix: redisPrefix,
        ttlSeconds: config.CACHE_TTL_SECONDS,
        onCorrupt: () => corrupt.add(1),
      });
    };
    const cached = createCached(
      config.CACHE ?? (app.redis === null ? 'memory' : 'tiered'),
      createNear,
      createFar,
    );
    app.decorate('cachedAnswers', cached);
    app.addHook('onClose', async () => cached?.close());
  },
  { name: 'cache', fastify: '5.x', dependencies: ['metrics', 'redis'] },
);

function createCached(
  kind: NonNullable<Config['CACHE']>,
  createNear: () => LocalCache,
  createFar: () => AnswerCache,
): CachedAnswers | undefined {
  switch (kind) {
    case 'off':
      return undefined;
    case 'memory':
      return new CachedAnswers(createNear());
    case 'redis':
      return new CachedAnswers(undefined, createFar());
    case 'tiered':
      return new CachedAnswers(createNear(), createFar());
    default:
      return kind satisfies never;
  }
}
