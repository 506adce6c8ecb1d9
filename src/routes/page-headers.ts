import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/** Half a year: a browser that has seen the page over TLS does not ask over plain HTTP for so long. */
const hstsSeconds = 15_552_000;

/**
 * Gives the answers of this scope what keeps a page for people from being framed, or reached by another page's
 * window. JSON answers have none of it: no browser shows them, and each header costs every one of them.
 */
export function addPageHeaders(app: FastifyInstance, more: Readonly<Record<string, string>> = {}): void {
  const headers = {
    ...more,
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    ...(app.server instanceof TlsServer && { 'strict-transport-security': `max-age=${hstsSeconds}` }),
  };
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}
