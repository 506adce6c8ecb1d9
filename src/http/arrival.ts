import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import fp from 'fastify-plugin';
import { createLoopClock } from './arrival-clock.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The time, by `performance.now()`, at which the request that is read now may have arrived on its connection. */
    readonly arrivedAt: (connection: Socket) => number;
  }
}

/** Makes a request's deadline run from its arrival, and not from the moment at which a busy thread reads it. */
export default fp(
  async function arrivalPlugin(app) {
    const clock = createLoopClock();
    app.decorate('arrivedAt', clock.arrivedAt);
    // A TLS client sends its request after the handshake, so the request did not wait for the accept.
    if (!(app.server instanceof TlsServer)) app.server.on('connection', clock.accept);
    app.addHook('onReady', async () => clock.reset());
    app.addHook('onListen', async () => clock.reset());
    app.addHook('onClose', async () => clock.close());
  },
  { name: 'arrival', fastify: '5.x' },
);
