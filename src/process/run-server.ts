import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import { buildServer } from '../app.js';
import { readAccessMode } from '../auth/auth-mode.js';
import { connectToSupervisor, type WorkerLink } from '../cluster/worker-link.js';
import { addEnvFile } from '../config/env-file.js';
import { type Config, findMisspelt, readConfig } from '../config/read-config.js';
import { reopenLog } from '../log/destination.js';
import { createLogger as createLog } from '../log/logger.js';
import { openStandardError, writeToPerson } from '../log/standard-error.js';
import { listen } from './listen.js';
import { requireMemory } from './memory.js';
import { reportReady } from './service-manager.js';
import type { StartEvents } from './start-events.js';
import { describeFailure } from './start-failure.js';
import { describeStart, describeUrl, summarizeStart } from './start-summary.js';
import { createStop } from './stop.js';
import type { ProcessSignals } from './stop-signals.js';

type Environment = Record<string, string | undefined>;

/**
 * The life of the server's process: configuration, listener, models, signals. With several workers it is the life
 * of their supervisor, which starts this again in each of them. It listens before the models are loaded, and resolves
 * once they are. A start that cannot be writes a line for each problem to standard error and ends the process with 1.
 * It says what `signals` do. `options` are put into
 * the environment, and then what a file of settings has beside that: see `addEnvFile`.
 */
export async function runServer(
  environment: Environment,
  signals: ProcessSignals,
  options: Environment = {},
): Promise<void> {
  openStandardError();
  const link = connectToSupervisor(environment);
  // A warning of Node's own may be lost, as on a full disk: an error that nobody listens to would end the process.
  process.stderr.on('error', () => undefined);
  try {
    Object.assign(environment, options);
    // A worker has those of its supervisor: the file may be another by now.
    const doubts = link === undefined ? addEnvFile(environment) : [];
    const config = readConfig(environment);
    if (link === undefined) requireMemory(config.WORKERS);
    const access = readAccessMode(config);
    const logger = createLogger(config, environment, link);
    endOnUncaught(logger);
    if (link !== undefined) return await serve(config, logger, signals, link);

    for (const doubt of doubts) logger.warn(doubt, 'a line of the file of settings may be wrong');
    for (const names of findMisspelt(environment))
      logger.warn(names, 'a variable that is not known is not read');
    const events: StartEvents = {
      onListening() {
        if (access.mode === 'open') logger.warn({ host: config.HOST }, access.warning);
      },
      onLoaded(summary) {
        logger.info({ seconds: Math.round(process.uptime() * 10) / 10 }, 'models loaded');
        writeToPerson(describeStart(summary, config.WORKERS));
        reportReady(environment, logger, summary.url);
      },
    };
    if (config.WORKERS === 1) return await serve(config, logger, signals, undefined, events);
    // Only here: a process that is alone has no use for it.
    const { supervise } = await import('./supervise.js');
    await supervise(config, environment, logger, signals, events);
  } catch (error) {
    const lines = describeFailure(error);
    if (link === undefined) for (const line of lines) writeToPerson(`sardonyx: ${line}\n`);
    else await link.tellFailure(lines);
    // Whatever holds the event loop: a start that cannot be is over.
    process.exit(1);
  }
}

/** The life of the one process that answers, or of one worker. */
async function serve(
  config: Config,
  logger: Logger,
  signals: ProcessSignals,
  link: WorkerLink | undefined,
  events?: StartEvents,
): Promise<void> {
  const app = await buildServer(config, logger, link);
  signals.stopWith(createStop(app, config, link));
  const reload = () => {
    reopenLog();
    app.log.info('SIGHUP: the log is opened again, and keys and certificates are read again');
    void app.reloadFiles();
  };
  signals.reloadWith(reload);
  link?.reloadWith(reload);
  // The other workers answer meanwhile.
  if (link?.isReplacement) await app.modelsLoaded;
  if (app.isDraining()) return;
  await listen(app, config, link !== undefined);
  link?.tellListening(describeUrl(app, config));
  events?.onListening();
  await app.modelsLoaded;
  if (app.isDraining()) return;
  const summary = summarizeStart(app, config);
  link?.tellLoaded(summary);
  events?.onLoaded(summary);
}

/** Logs to standard output; the lines of a worker name it. */
function createLogger(config: Config, environment: Environment, link: WorkerLink | undefined): Logger {
  // To a person at a terminal the summary says what the log would: what is left is what needs attention.
  const isQuiet = isatty(1) && !environment['LOG_LEVEL'];
  return createLog(isQuiet ? 'warn' : config.LOG_LEVEL, link && { worker: link.number });
}

/** After an error that nobody caught nothing is certain: it is logged, and the process ends for a new one. */
function endOnUncaught(logger: Logger): void {
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'an error that nobody caught: the process ends');
    process.exit(1);
  });
}
