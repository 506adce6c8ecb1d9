import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { describeStart } from './banner.js';
import { type Config, ConfigError, readConfig } from './config.js';
import { messageOf } from './errors.js';
import { buildServer } from './server.js';

/**
 * The life of the server's process: configuration, models, listener, signals. Resolves once it listens; a start
 * that cannot be writes a line for each problem to standard error and ends the process with 1.
 * Nothing else knows about signals.
 */
export async function runServer(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  try {
    const config = readConfig(environment);
    const app = await start(config);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => void stop(app, config, signal));
    }
  } catch (error) {
    const lines = error instanceof ConfigError ? error.lines : [describeFailure(error)];
    for (const line of lines) process.stderr.write(`sardonyx: ${line}\n`);
    process.exitCode = 1;
  }
}

async function start(config: Config): Promise<FastifyInstance> {
  const logger = pino({ level: config.LOG_LEVEL });
  const app = await buildServer(config, logger);
  try {
    await app.listen({
      host: config.HOST,
      port: config.PORT,
      listenTextResolver: (address) => `listening at ${address}`,
    });
  } catch (error) {
    await app.close();
    throw error;
  }
  process.stderr.write(describeStart(app, config));
  return app;
}

let stopping = false;

/** Ready turns 503 at once; the listener closes after a delay; requests in flight end, or are cut at the deadline. */
async function stop(app: FastifyInstance, config: Config, signal: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  app.log.info({ signal }, 'stopping');
  app.drain();
  await new Promise((resolve) => setTimeout(resolve, config.SHUTDOWN_DELAY_MS));
  const cut = setTimeout(() => {
    app.log.warn('connections are cut: the shutdown took too long');
    app.server.closeAllConnections();
  }, config.SHUTDOWN_TIMEOUT_MS);
  try {
    await app.close();
    app.log.info('stopped');
  } catch (error) {
    app.log.error({ err: error }, 'the shutdown failed');
    process.exitCode = 1;
  } finally {
    clearTimeout(cut);
  }
}

function describeFailure(error: unknown): string {
  const { code, syscall, address, port, path } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (code === 'EADDRINUSE')
    return `PORT: ${address}:${port} is taken by another process; choose another PORT`;
  if (syscall === 'listen' || code === 'EADDRNOTAVAIL')
    return `HOST: cannot listen at ${address}:${port} (${code})`;
  if (syscall === 'scandir') return `MODELS_DIR: the folder ${path} cannot be read (${code})`;
  return messageOf(error);
}
