import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes readiness say 503, and every answer close its connection, while everything else goes on. */
    drain(): void;
    readonly isDraining: () => boolean;
  }
}

/** Whether the server is about to stop. Made before the server, whose answers depend on it. */
export interface Draining {
  isDraining: boolean;
}

/** Remembers that the server is about to stop, so that traffic is sent elsewhere before it does. */
export default fp<{ draining: Draining }>(
  async function drainPlugin(app, { draining }) {
    const drain = (): void => {
      draining.isDraining = true;
    };
    app.decorate('drain', drain);
    app.decorate('isDraining', () => draining.isDraining);
    app.addHook('preClose', async () => drain());
  },
  { name: 'drain', fastify: '5.x' },
);
