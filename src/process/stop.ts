import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { WorkerLink } from '../cluster/worker-link.js';
import type { Config } from '../config/read-config.js';

/** From the cut of the connections to SIGKILL. */
const lastResortMs = 2_000;

/**
 * Creates the handler that stops the server at the first signal; further signals do nothing. Readiness turns 503 at
 * once; the listener closes after a delay; requests in flight finish, or are cut at the deadline. Then the process
 * exits, even if a timer keeps the event loop alive. No inline run is left by then, since runs block this thread.
 */
export function createStop(app: FastifyInstance, config: Config, link: WorkerLink | undefined) {
  let isStopping = false;
  return async (signal: NodeJS.Signals): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    app.log.info({ signal }, 'stopping');
    app.drain();
    await pause(config.SHUTDOWN_DELAY_MS);
    setTimeout(() => {
      app.log.warn('the shutdown took too long: open connections are cut');
      app.server.closeAllConnections();
      setTimeout(() => {
        app.log.fatal('the process kills itself: it still runs after its connections were cut');
        // `process.exit` may hang too. The pause lets the line above be written first.
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
      }, lastResortMs);
    }, config.SHUTDOWN_TIMEOUT_MS);
    let code = 0;
    try {
      await app.close();
      await link?.takeLeave();
      app.log.info('stopped');
    } catch (error) {
      app.log.error({ err: error }, 'the shutdown failed');
      code = 1;
    }
    process.exit(code);
  };
}
