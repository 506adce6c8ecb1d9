import { catchSignals } from '../process/stop-signals.js';
import type { Args, CliContext } from './terminal/command.js';

/** The options of the commands that run until a signal. */
export const serverOptions = {
  models: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  'env-file': { type: 'string' },
} as const;

/** Runs a server or a worker until a signal. Its options override the environment, and `fixed` overrides both. */
export async function runServerCommand(
  args: Args,
  { env }: CliContext,
  role: 'server' | 'worker',
  fixed: Readonly<Record<string, string>> = {},
): Promise<number> {
  const options = {
    MODELS_DIR: args.text('models'),
    HOST: args.text('host'),
    PORT: args.text('port'),
    ENV_FILE: args.text('env-file'),
    ...fixed,
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const signals = catchSignals();
  // Imported here, so that the other commands start faster.
  const { runServer } = await import('../process/run-server.js');
  await runServer(env, signals, Object.fromEntries(given), role);
  return Number(process.exitCode ?? 0);
}
