import type { Socket } from 'node:net';
import fp from 'fastify-plugin';
import { createLoopClock } from '../monitoring/loop-clock.js';

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
    app.server.on('connection', clock.accept);
    app.addHook('onReady', async () => clock.reset());
    app.addHook('onListen', async () => clock.reset());
    app.addHook('onClose', async () => clock.close());
  },
  { name: 'arrival', fastify: '5.x' },
);
