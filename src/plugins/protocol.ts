import fp from 'fastify-plugin';
import { ServiceError } from '../errors.js';

/**
 * Takes over two refusals that Node would make without a body: HTTP/1.1 without `Host` is refused in our own form
 * (`requireHostHeader` is off for that), and an `Expect` of something unknown is passed over, as RFC 9110 allows.
 */
export default fp(
  async function protocolPlugin(app) {
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    app.addHook('onRequest', ({ raw }, _reply, done) => {
      const isSound = raw.headers.host !== undefined || raw.httpVersionMinor === 0;
      done(
        isSound ? undefined : new ServiceError('invalid_request', { detail: 'The header Host is missing.' }),
      );
    });
  },
  { name: 'protocol', fastify: '5.x' },
);
