import type { IncomingMessage, ServerResponse } from 'node:http';
import fp from 'fastify-plugin';
import { ServiceError } from '../errors.js';

/** Beyond this many headers Node hides the rest, those that say where the body ends included. */
const maxHeaders = 1_000;
const hostCharacters = /^[\w.~!$&'()*+,;=%:[\]-]*$/;

/**
 * What Node's parser lets through, and RFC 9112 does not: each could be read in another way by a proxy in front, so
 * the connection is closed with the refusal. Two refusals that Node would make without a body are made here as well:
 * HTTP/1.1 without `Host` (`requireHostHeader` is off for that), and an `Expect` of something unknown, which is
 * passed over, as RFC 9110 allows.
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
    // Nearly every request names the same host: what has been checked is not checked again.
    let soundHost: string | undefined;
    app.addHook('onRequest', ({ raw }, reply, done) => {
      // What an answer is, its Content-Type says: no browser is to guess otherwise. It costs too little to be measured.
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
 * A client that asks before it sends its body (`Expect: 100-continue`) is told to send it after whatever the headers
 * alone can be refused for: an answer that comes at once, such as that the body is too large, spares it the body. It may
 * send it all the same, so that such an answer closes the connection.
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

/** Of two, `headers` shows the first alone. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let k = 0; k < rawHeaders.length; k += 2) {
    const name = rawHeaders[k] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}
