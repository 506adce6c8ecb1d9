import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { readOrigins } from '../config/cors-origins.js';
import { addVary } from '../http/vary.js';

const requestHeaders =
  'content-type, content-encoding, x-api-key, authorization, x-request-id, x-request-timeout-ms, cache-control, idempotency-key, prefer';
const answerHeaders =
  'x-request-id, x-cache, retry-after, ratelimit, ratelimit-policy, server-timing, preference-applied, location';
/** Two hours, the most that Chromium accepts. */
const maxAgeSeconds = '7200';

/**
 * CORS of the fetch standard: pages of the configured origins may send requests and read the answers, errors included.
 * Preflight requests are answered before the check of keys, since browsers send no key with them. Credentials of the
 * browser, such as cookies, are never allowed: a page can do only what its own key allows.
 */
export default fp<{ origins: string }>(
  async function corsPlugin(app, { origins }) {
    const allowed = readOrigins(origins) ?? new Set();
    app.addHook('onRequest', (request, reply, done) => {
      const { origin } = request.headers;
      // A shared cache must not give one origin's answer to another origin.
      if (allowed !== '*') addVary(reply, 'Origin');
      if (origin === undefined) return done();
      const isAllowed = allowed === '*' || allowed.has(origin);
      if (isAllowed) reply.header('access-control-allow-origin', allowed === '*' ? '*' : origin);
      const methods = isPreflight(request) ? app.addressOf(request.url).methods : [];
      if (methods.length === 0) {
        if (isAllowed) reply.header('access-control-expose-headers', answerHeaders);
        return done();
      }
      if (isAllowed) {
        reply
          .header('access-control-allow-methods', methods.join(', '))
          .header('access-control-allow-headers', requestHeaders)
          .header('access-control-max-age', maxAgeSeconds);
      }
      app.observeUnmatched(204, reply.elapsedTime / 1_000);
      reply.code(204).send();
    });
  },
  { name: 'cors', fastify: '5.x', dependencies: ['problems', 'metrics'] },
);

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
