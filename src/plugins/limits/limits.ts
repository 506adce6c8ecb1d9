import fp from 'fastify-plugin';
import rateLimit from './rate-limit.js';
import rowLimit, { type RowLimitConfig } from './row-limit.js';

/** What a client may send: requests, and the rows of requests that may have many. */
export default fp<RowLimitConfig>(
  async function limitsPlugin(app, config) {
    await app.register(rateLimit, config);
    await app.register(rowLimit, config);
  },
  { name: 'limits', fastify: '5.x', dependencies: ['metrics', 'redis', 'auth', 'client-address'] },
);
