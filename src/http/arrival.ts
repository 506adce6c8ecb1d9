import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import fp from 'fastify-plugin';
import { createLoopClock } from './arrival-clock.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Since when the request that is looked at now, on a connection, may have been waiting, by `performance.now()`. */
    readonly arrivedAt: (connection: Socket) => number;
  }
}

/** Lends the clock by which a request's time runs from its arrival, and not from when a busy thread first saw it. */
export default fp(
  async function arrivalPlugin(app) {
    const clock = createLoopClock();
    app.decorate('arrivedAt', clock.arrivedAt);
    // Over TLS a client sends nothing before it is answered, and its request is read in one turn with the end of the
    // handshake: it has waited for no connection that was taken before.
    if (!(app.server instanceof TlsServer)) app.server.on('connection', clock.accept);
    app.addHook('onReady', async () => clock.reset());
    app.addHook('onListen', async () => clock.reset());
    app.addHook('onClose', async () => clock.close());
  },
  { name: 'arrival', fastify: '5.x' },
);
