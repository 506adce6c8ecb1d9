import type { Logger } from 'pino';
import { Supervisor } from '../cluster/supervisor.js';
import type { Config } from '../config/read-config.js';
import { reopenLog } from '../log/destination.js';
import { findFreePort } from './free-port.js';
import { resolveHost } from './listen.js';
import type { StartEvents } from './start-events.js';
import type { ProcessSignals } from './stop-signals.js';

/** Resolves once all models of all workers are loaded, or once the supervisor has been stopped. */
export async function supervise(
  config: Config,
  environment: NodeJS.ProcessEnv,
  logger: Logger,
  signals: ProcessSignals,
  { onListening, onLoaded }: StartEvents,
): Promise<void> {
  const port = await findFreePort(await resolveHost(config), config.PORT);
  const supervisor = new Supervisor(config, { ...environment, PORT: String(port) }, logger);
  let isStopping = false;
  signals.stopWith(async (signal) => {
    if (isStopping) return;
    isStopping = true;
    logger.info({ signal }, 'stopping');
    const endedWell = await supervisor.stop(signal);
    logger.info('stopped');
    process.exit(endedWell ? 0 : 1);
  });
  signals.reloadWith(() => {
    reopenLog();
    logger.info('SIGHUP: the log file is reopened, and the workers read keys and certificates again');
    supervisor.reload();
  });
  const summary = await supervisor.start((url) => {
    logger.info(`listening at ${url}`);
    onListening();
  });
  if (summary !== undefined) onLoaded(summary);
}
