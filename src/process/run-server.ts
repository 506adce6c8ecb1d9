import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import { buildServer } from '../app.js';
import { readAccessMode } from '../auth/auth-mode.js';
import { connectToSupervisor, type WorkerLink } from '../cluster/worker-link.js';
import { addEnvFile } from '../config/env-file.js';
import { type Config, findMisspelt, readConfig } from '../config/read-config.js';
import { ConfigError } from '../errors.js';
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

/** A worker may run beside a server of the same machine. */
const workerPort = 8_001;

/**
 * Runs the server in this process: configuration, listener, models, signals. With several workers this process is the
 * supervisor, and each worker calls this function again. The server listens before the models are loaded; the promise
 * resolves once they are. If the start fails, each problem is written to standard error as one line, and the process
 * exits with 1. `options` override the environment, which overrides the settings file (`addEnvFile`). With the role
 * `worker` it runs jobs from Redis or a shared folder, and serves nothing but its health and its metrics.
 */
export async function runServer(
  environment: Environment,
  signals: ProcessSignals,
  options: Environment = {},
  role: 'server' | 'worker' = 'server',
): Promise<void> {
  openStandardError();
  const link = connectToSupervisor(environment);
  // Node writes its own warnings to stderr. Without this listener a failed write, as on a full disk, ends the process.
  process.stderr.on('error', () => undefined);
  try {
    Object.assign(environment, options);
    // A worker inherits the settings of its supervisor: the file may have changed since then.
    const doubts = link === undefined ? addEnvFile(environment) : [];
    if (role === 'worker') environment['PORT'] ||= String(workerPort);
    const config = readConfig(environment);
    if (role === 'worker' && config.REDIS_URL === undefined && !environment['STATE_DIR'])
      throw new ConfigError([
        'REDIS_URL: is missing: a worker takes its jobs from the Redis of the servers, or from their STATE_DIR',
      ]);
    if (link === undefined) requireMemory(config.WORKERS);
    const access = readAccessMode(config);
    const logger = createLogger(config, environment, link);
    endOnUncaught(logger);
    if (link !== undefined) return await serve(config, logger, signals, link, undefined, role);

    for (const doubt of doubts) logger.warn(doubt, 'a line of the settings file may be wrong');
    for (const names of findMisspelt(environment))
      logger.warn(names, 'an unknown variable is ignored: its name may be misspelt');
    const events: StartEvents = {
      onListening() {
        // A worker answers no predictions.
        if (access.mode === 'open' && role === 'server') logger.warn({ host: config.HOST }, access.warning);
      },
      onLoaded(summary) {
        logger.info({ seconds: Math.round(process.uptime() * 10) / 10 }, 'models loaded');
        writeToPerson(describeStart(summary, config.WORKERS));
        reportReady(environment, logger, summary.url);
      },
    };
    if (config.WORKERS === 1) return await serve(config, logger, signals, undefined, events, role);
    // Imported only here: a single process does not need it.
    const { supervise } = await import('./supervise.js');
    await supervise(config, environment, logger, signals, events);
  } catch (error) {
    const lines = describeFailure(error);
    if (link === undefined) for (const line of lines) writeToPerson(`sardonyx: ${line}\n`);
    else await link.tellFailure(lines);
    process.exit(1);
  }
}

async function serve(
  config: Config,
  logger: Logger,
  signals: ProcessSignals,
  link: WorkerLink | undefined,
  events: StartEvents | undefined,
  role: 'server' | 'worker',
): Promise<void> {
  const app = await buildServer(config, logger, link, role);
  signals.stopWith(createStop(app, config, link));
  const reload = () => {
    reopenLog();
    app.log.info('SIGHUP: the log file is reopened, and keys and certificates are read again');
    void app.reloadFiles();
  };
  signals.reloadWith(reload);
  link?.reloadWith(reload);
  // A replacement listens only once its models are loaded: until then the other workers answer.
  if (link?.isReplacement) await app.modelsLoaded;
  if (app.isDraining()) return;
  await listen(app, config, link !== undefined);
  link?.tellListening(describeUrl(app, config));
  events?.onListening();
  await app.modelsLoaded;
  if (app.isDraining()) return;
  const summary = summarizeStart(app, config, role);
  link?.tellLoaded(summary);
  events?.onLoaded(summary);
}

/** Logs to standard output. Each line of a worker has the worker's number. */
function createLogger(config: Config, environment: Environment, link: WorkerLink | undefined): Logger {
  // At a terminal the start summary replaces the `info` lines.
  const isQuiet = isatty(1) && !environment['LOG_LEVEL'];
  return createLog(isQuiet ? 'warn' : config.LOG_LEVEL, link && { worker: link.number });
}

/** After an uncaught error the state of the process is unknown: exit, so that a new process starts. */
function endOnUncaught(logger: Logger): void {
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'uncaught error: the process exits');
    process.exit(1);
  });
}
