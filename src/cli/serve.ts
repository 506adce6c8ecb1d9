import { runServerCommand, serverOptions } from './server-command.js';
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
  options: serverOptions,
  maxPositionals: 0,
  run: (args, context) => runServerCommand(args, context, 'server'),
};
