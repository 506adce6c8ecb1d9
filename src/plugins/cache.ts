import fp from 'fastify-plugin';
import { CachedAnswers } from '../cache/cached-answers.js';
import { createMemoryCache } from '../cache/memory.js';
import type { Config } from '../config.js';

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
    const kind = config.CACHE ?? 'memory';
    if (kind === 'off') {
      app.decorate('cachedAnswers', undefined);
      return;
    }
    const cached = new CachedAnswers(
      createMemoryCache({
        ttlMs: config.CACHE_TTL_SECONDS * 1_000,
        maxEntries: config.CACHE_MAX_ENTRIES,
        maxBytes: config.CACHE_MAX_MB * 1_048_576,
      }),
    );
    app.decorate('cachedAnswers', cached);
    app.addHook('onClose', async () => cached.close());
  },
  { name: 'cache', fastify: '5.x' },
);
