import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { readOrigins } from '../config/cors-origins.js';

/** What clients may send, and what their pages may read of an answer. */
const requestHeaders =
  'content-type, x-api-key, authorization, x-request-id, x-request-timeout-ms, cache-control, idempotency-key, prefer';
const answerHeaders =
  'x-request-id, x-cache, retry-after, ratelimit, ratelimit-policy, server-timing, location';
/** As long as a browser takes at most. */
const maxAgeSeconds = '7200';

/**
 * Lets pages of some origins ask from a browser (the fetch standard's CORS), errors included. Their questions
 * beforehand are answered here, before anybody asks for a key: a browser sends none with them. Cookies and the like
 * are never allowed, so that a page can do no more than its own key allows.
 */
export default fp<{ origins: string }>(
  async function corsPlugin(app, { origins }) {
    const allowed = readOrigins(origins) ?? new Set();
    app.addHook('onRequest', (request, reply, done) => {
      const { origin } = request.headers;
      // An answer that was made for one origin must not be kept for another.
      if (allowed !== '*') reply.header('vary', 'Origin');
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
