import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { WorkerLink } from '../cluster/worker-link.js';
import type { Config } from '../config/read-config.js';

/** From the cut of the connections to the end of the process, if nothing else ends it. */
const lastResortMs = 2_000;

/**
 * What stops a server, once, however many signals come: ready turns 503 at once; the listener closes after a
 * delay; requests in flight end, or are cut at the deadline. Then the process exits, whatever else holds its event
 * loop, such as a timer of a module that was loaded before. No run of the engine is left then: runs hold this thread.
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
      app.log.warn('connections are cut: the shutdown took too long');
      app.server.closeAllConnections();
      setTimeout(() => {
        app.log.fatal('the process kills itself: the cut of the connections did not end it');
        // What is closing may hold `process.exit` as well. The line is written before.
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
