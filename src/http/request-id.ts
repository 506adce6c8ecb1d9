import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import fp from 'fastify-plugin';
import { hideKeys } from '../text/describe-value.js';

/** Request ids that are short and safe in any log or header. */
const sane = /^[A-Za-z0-9][A-Za-z0-9._:@/+=-]{0,127}$/;

/** The client's `x-request-id` if it is well-formed and is not a key, since the id is logged; else a new one. */
export function createRequestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && sane.test(given) && !isKey(given, request) ? given : randomUUID();
}

function isKey(text: string, { headers }: Pick<IncomingMessage, 'headers'>): boolean {
  if (hideKeys(text) !== text || text === headers['x-api-key']) return true;
  return headers.authorization?.endsWith(` ${text}`) === true;
}

export default fp(
  async function requestIdPlugin(app) {
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id);
      done();
    });
  },
  { name: 'request-id', fastify: '5.x' },
);
