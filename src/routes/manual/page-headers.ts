import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/** Half a year. After a visit over TLS, a browser uses no plain HTTP for this time. */
const hstsSeconds = 15_552_000;

/**
 * The headers that keep other sites from framing a page or reaching its window. JSON answers do not need them, because
 * no browser shows them as a page, and each header costs time in every answer.
 */
export function toPageHeaders(app: FastifyInstance, more: Readonly<Record<string, string>> = {}) {
  return {
    ...more,
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    ...(app.server instanceof TlsServer && { 'strict-transport-security': `max-age=${hstsSeconds}` }),
  };
}

/** Sets them in each answer of a plugin. */
export function addPageHeaders(app: FastifyInstance, more?: Readonly<Record<string, string>>): void {
  const headers = toPageHeaders(app, more);
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}
