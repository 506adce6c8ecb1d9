import { catchSignals } from '../process/stop-signals.js';
import type { Command } from './terminal/command.js';

export const serve: Command = {
  summary: 'starts a server that answers over HTTP',
  help: `Usage: sardonyx serve [--models DIR] [--host HOST] [--port PORT] [--env-file FILE]

Loads every model and answers over HTTP until SIGTERM or SIGINT.

  --models DIR     folder of the models (MODELS_DIR, else models)
  --host HOST      address to listen on (HOST, else 127.0.0.1)
  --port PORT      port, or 0 for any free port (PORT, else 8000)
  --env-file FILE  file of settings (ENV_FILE, else .env if it exists)

All other settings are environment variables, or lines of that file: see docs/configuration.md.
`,
  options: {
    models: { type: 'string' },
    host: { type: 'string' },
    port: { type: 'string' },
    'env-file': { type: 'string' },
  },
  maxPositionals: 0,
  async run(args, { env }) {
    const options = {
      MODELS_DIR: args.text('models'),
      HOST: args.text('host'),
      PORT: args.text('port'),
      ENV_FILE: args.text('env-file'),
    };
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const signals = catchSignals();
    // Imported here, so that the other commands start faster.
    const { runServer } = await import('../process/run-server.js');
    await runServer(env, signals, Object.fromEntries(given));
    return Number(process.exitCode ?? 0);
  },
};
