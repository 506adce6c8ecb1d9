import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes readiness say 503 while everything else goes on. */
    drain(): void;
    readonly isDraining: () => boolean;
  }
}

/** Remembers that the server is about to stop, so that traffic is sent elsewhere before it does. */
export default fp(
  async function drainPlugin(app) {
    let isDraining = false;
    const drain = (): void => {
      isDraining = true;
    };
    app.decorate('drain', drain);
    app.decorate('isDraining', () => isDraining);
    app.addHook('preClose', async () => drain());
  },
  { name: 'drain', fastify: '5.x' },
);
