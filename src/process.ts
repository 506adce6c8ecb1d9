import { lookup } from 'node:dns/promises';
import { isatty } from 'node:tty';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { type AccessMode, readAccessMode } from './access/access-mode.js';
import { describeStart, type StartSummary, summarizeStart } from './banner.js';
import { type Config, ConfigError, findMisspelt, readConfig } from './config.js';
import { messageOf } from './errors.js';
import { createLogger as createLog } from './log/logger.js';
import { writeToPerson } from './log/standard-error.js';
import { buildServer } from './server.js';
import type { StopSignals } from './stop-signals.js';
import { connectToSupervisor, type WorkerLink } from './workers/worker-link.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** From the cut of the connections to the end of the process, if nothing else ends it. */
const lastResortMs = 2_000;

/**
 * The life of the server's process: configuration, models, listener, signals. With several workers it is the life
 * of their supervisor, which starts this again in each of them. Resolves once it listens; a start that cannot be
 * writes a line for each problem to standard error and ends the process with 1. It says what `signals` stop.
 */
export async function runServer(environment: Environment, signals: StopSignals): Promise<void> {
  const link = connectToSupervisor(environment);
  // A warning of Node's own may be lost, as on a full disk: an error that nobody listens to would end the process.
  process.stderr.on('error', () => undefined);
  try {
    const config = readConfig(environment);
    const access = readAccessMode(config);
    const logger = createLogger(config, environment, link);
    endOnUncaught(logger);
    if (link === undefined) {
      for (const names of findMisspelt(environment))
        logger.warn(names, 'a variable that is not known is not read');
    }
    if (link === undefined && config.WORKERS > 1) {
      await supervise(config, access, environment, logger, signals);
      return;
    }
    const app = await buildServer(config, logger, link);
    signals.handleWith(createStop(app, config, link));
    await listen(app, config, link);
    const summary = summarizeStart(app, config);
    if (link === undefined) announce(summary, config, access, logger);
    else link.tellListening(summary);
  } catch (error) {
    const lines = error instanceof ConfigError ? error.lines : [describeFailure(error)];
    process.exitCode = 1;
    if (link === undefined) for (const line of lines) writeToPerson(`sardonyx: ${line}\n`);
    else {
      link.tellFailure(lines);
      link.release();
    }
  }
}

/** Logs to standard output; the lines of a worker name it. */
function createLogger(config: Config, environment: Environment, link: WorkerLink | undefined): Logger {
  // To a person at a terminal the summary says what the log would: what is left is what needs attention.
  const isQuiet = isatty(1) && !environment['LOG_LEVEL'];
  return createLog(isQuiet ? 'warn' : config.LOG_LEVEL, link && { worker: link.number });
}

async function supervise(
  config: Config,
  access: AccessMode,
  environment: Environment,
  logger: Logger,
  signals: StopSignals,
): Promise<void> {
  // Only here: a process that is alone has no use for it.
  const [{ Supervisor }, { findFreePort }] = await Promise.all([
    import('./workers/supervisor.js'),
    import('./workers/free-port.js'),
  ]);
  const port = await findFreePort(await resolveHost(config), config.PORT);
  const supervisor = new Supervisor(config, { ...environment, PORT: String(port) }, logger);
  signals.handleWith(async (signal) => {
    if (supervisor.isStopping) return;
    logger.info({ signal }, 'stopping');
    if (!(await supervisor.stop(signal))) process.exitCode = 1;
    logger.info('stopped');
  });
  const summary = await supervisor.start();
  if (summary === undefined) return;
  logger.info(`listening at ${summary.url}`);
  announce(summary, config, access, logger);
}

function announce(summary: StartSummary, config: Config, access: AccessMode, logger: Logger): void {
  if (access.mode === 'open') logger.warn({ host: config.HOST }, access.warning);
  writeToPerson(describeStart(summary, config.WORKERS));
}

async function listen(app: FastifyInstance, config: Config, link: WorkerLink | undefined): Promise<void> {
  try {
    await app.listen({
      host: await resolveHost(config),
      port: config.PORT,
      // Who waits for "listening" waits for the whole, which the supervisor tells.
      listenTextResolver: (address) =>
        link === undefined ? `listening at ${address}` : `worker listens at ${address}`,
    });
  } catch (error) {
    await app.close();
    throw error;
  }
}

/**
 * The one address that a name stands for, IPv4 before IPv6. For the name "localhost" Fastify would make a second server
 * at the second address, without this one's limits, refusals and end.
 */
async function resolveHost({ HOST }: Config): Promise<string> {
  const { address } = await lookup(HOST, { order: 'ipv4first' });
  return address;
}

/**
 * What stops a server, once, however many signals come: ready turns 503 at once; the listener closes after a
 * delay; requests in flight end, or are cut at the deadline. What then still holds the process does not hold it
 * for long: SIGKILL, since `process.exit()` aborts, or waits, while the engine runs on another thread.
 */
function createStop(app: FastifyInstance, config: Config, link: WorkerLink | undefined) {
  let isStopping = false;
  return async (signal: NodeJS.Signals): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    app.log.info({ signal }, 'stopping');
    app.drain();
    await new Promise((resolve) => setTimeout(resolve, config.SHUTDOWN_DELAY_MS));
    const cut = setTimeout(() => {
      app.log.warn('connections are cut: the shutdown took too long');
      app.server.closeAllConnections();
      const kill = setTimeout(() => {
        app.log.fatal('the process kills itself: the cut of the connections did not end it');
        // Another thread writes the line, and would not get to it.
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100).unref();
      }, lastResortMs);
      kill.unref();
    }, config.SHUTDOWN_TIMEOUT_MS);
    try {
      await app.close();
      app.log.info('stopped');
    } catch (error) {
      app.log.error({ err: error }, 'the shutdown failed');
      process.exitCode = 1;
    } finally {
      clearTimeout(cut);
      link?.release();
    }
  };
}

/** After an error that nobody caught nothing is certain: it is logged, and the process ends for a new one. */
function endOnUncaught(logger: Logger): void {
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'an error that nobody caught: the process ends');
    process.exit(1);
  });
}

function describeFailure(error: unknown): string {
  const { code, syscall, address, hostname, port, path } = error as NodeJS.ErrnoException & {
    address?: string;
    hostname?: string;
    port?: number;
  };
  if (code === 'EADDRINUSE')
    return `PORT: ${address}:${port} is taken by another process; choose another PORT`;
  if (syscall === 'getaddrinfo') return `HOST: the name ${hostname} is not known (${code})`;
  if (syscall === 'listen' || syscall === 'bind' || code === 'EADDRNOTAVAIL')
    return `HOST: cannot listen at ${address}:${port} (${code})`;
  if (syscall === 'scandir') return `MODELS_DIR: the folder ${path} cannot be read (${code})`;
  return messageOf(error);
}
