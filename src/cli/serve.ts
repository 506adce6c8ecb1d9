import { catchSignals } from '../stop-signals.js';
import type { Command } from './command.js';

export const serve: Command = {
  summary: 'answers over HTTP',
  help: `Usage: sardonyx serve [--models DIR] [--host HOST] [--port PORT]

Loads every model and answers over HTTP until SIGTERM or SIGINT.

  --models DIR   the registry (MODELS_DIR, else models)
  --host HOST    the address to listen on (HOST, else 127.0.0.1)
  --port PORT    the port; 0 for any free one (PORT, else 8000)

All other settings are environment variables: docs/configuration.md.
`,
  options: { models: { type: 'string' }, host: { type: 'string' }, port: { type: 'string' } },
  maxPositionals: 0,
  async run(args, { env }) {
    const overlay = { MODELS_DIR: args.text('models'), HOST: args.text('host'), PORT: args.text('port') };
    const given = Object.entries(overlay).filter(([, value]) => value !== undefined);
    const signals = catchSignals();
    // Only here: the other commands need no server, and start faster without one.
    const { runServer } = await import('../process.js');
    await runServer({ ...env, ...Object.fromEntries(given) }, signals);
    return Number(process.exitCode ?? 0);
  },
};
