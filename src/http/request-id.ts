import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import fp from 'fastify-plugin';
import { hideKeys } from '../text/describe-value.js';

/** What a client may name its own request: printable, short, and safe in any log or header. */
const sane = /^[A-Za-z0-9][A-Za-z0-9._:@/+=-]{0,127}$/;

/** The client's `x-request-id` where it is a sane one, else a new one. It goes into the log, and a key must not. */
export function createRequestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && sane.test(given) && !isKey(given, request) ? given : randomUUID();
}

function isKey(text: string, { headers }: Pick<IncomingMessage, 'headers'>): boolean {
  if (hideKeys(text) !== text || text === headers['x-api-key']) return true;
  return headers.authorization?.endsWith(` ${text}`) === true;
}

/** Tells every answer's request id in its `x-request-id` header. */
export default fp(
  async function requestIdPlugin(app) {
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id);
      done();
    });
  },
  { name: 'request-id', fastify: '5.x' },
);
