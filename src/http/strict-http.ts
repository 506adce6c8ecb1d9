import type { IncomingMessage, ServerResponse } from 'node:http';
import fp from 'fastify-plugin';
import { ServiceError } from '../errors.js';

/** Node drops headers beyond this number, including those that say where the body ends. */
const maxHeaders = 1_000;
const hostCharacters = /^[\w.~!$&'()*+,;=%:[\]-]*$/;

/**
 * Refuses requests that Node's parser accepts against RFC 9112, and closes the connection, since a proxy in front may
 * read such a request in another way. HTTP/1.1 without `Host` is refused here too, because Node would refuse it without
 * a body (so `requireHostHeader` is off). An unknown `Expect` is ignored, as RFC 9110 allows.
 */
export default fp(
  async function protocolPlugin(app) {
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    app.server.on('checkContinue', (request, response) => {
      inviteLater(response);
      app.server.emit('request', request, response);
    });
    // The last valid host. Nearly every request has the same one, and it is not checked again.
    let soundHost: string | undefined;
    app.addHook('onRequest', ({ raw }, reply, done) => {
      // A browser must not guess a type other than Content-Type. The cost is too small to measure.
      reply.header('x-content-type-options', 'nosniff');
      const fault = findFault(raw, soundHost);
      if (fault === undefined) {
        soundHost = raw.headers.host;
        return done();
      }
      const headers = { connection: 'close' };
      const hasTooMany = raw.rawHeaders.length > 2 * maxHeaders;
      done(
        new ServiceError(hasTooMany ? 'headers_too_large' : 'invalid_request', { detail: fault, headers }),
      );
    });
  },
  { name: 'protocol', fastify: '5.x' },
);

/**
 * A client with `Expect: 100-continue` waits for an invitation to send its body. It is sent after the checks of the
 * headers, so that a refusal spares the client the body. A refusal closes the connection: the body may come anyway.
 */
function inviteLater(response: ServerResponse): void {
  const { shouldKeepAlive } = response;
  response.shouldKeepAlive = false;
  setImmediate(() => {
    if (response.headersSent || response.destroyed) return;
    response.shouldKeepAlive = shouldKeepAlive;
    response.writeContinue();
  });
}

function findFault(
  { headers, rawHeaders, httpVersionMinor }: IncomingMessage,
  soundHost: string | undefined,
): string | undefined {
  if (rawHeaders.length > 2 * maxHeaders) return `There are more than ${maxHeaders} headers.`;
  const { host, 'transfer-encoding': coding } = headers;
  if (host === undefined) {
    if (httpVersionMinor !== 0) return 'The header Host is missing.';
  } else if (host !== soundHost && !hostCharacters.test(host)) return 'The header Host is not a host.';
  else if (hasTwoHosts(rawHeaders)) return 'The header Host is there twice.';
  if (coding === undefined) return undefined;
  if (httpVersionMinor === 0) return 'HTTP/1.0 has no Transfer-Encoding.';
  return coding.toLowerCase() === 'chunked' ? undefined : 'The only Transfer-Encoding is chunked.';
}

/** `headers` shows only the first of two. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let k = 0; k < rawHeaders.length; k += 2) {
    const name = rawHeaders[k] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}
