import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on readiness is 503 and every answer closes its connection. Requests are still answered. */
    drain(): void;
    readonly isDraining: () => boolean;
  }
}

/** Created before the server, whose response class reads it. */
export interface Draining {
  isDraining: boolean;
}

/** Marks the server as draining, so that a load balancer sends traffic elsewhere before the server stops. */
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
