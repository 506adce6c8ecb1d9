import { type IncomingMessage, ServerResponse } from 'node:http';
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

/**
 * Answers that carry `Connection: close` once draining, those to requests that came in before it as well:
 * Fastify tells only the requests that come later.
 */
export function createDrainingResponse(draining: Draining): typeof ServerResponse {
  return class DrainingResponse<R extends IncomingMessage> extends ServerResponse<R> {
    override writeHead(...head: unknown[]): this {
      if (draining.isDraining) this.shouldKeepAlive = false;
      // The overloads of writeHead take the same arguments that came in.
      return super.writeHead(...(head as Parameters<ServerResponse['writeHead']>)) as this;
    }
  };
}
