import { lowerPriority } from '../low-priority.js';
import { runServerCommand, serverOptions } from './server-command.js';
import type { Command } from './terminal/command.js';

export const worker: Command = {
  summary: 'runs batch jobs, beside the servers that accept them',
  help: `Usage: sardonyx worker [--models DIR] [--host HOST] [--port PORT] [--env-file FILE]

Loads every model and runs batch jobs from the Redis of the servers (REDIS_URL) or from the folder that it shares with
them (STATE_DIR), until SIGTERM or SIGINT. It answers /health, /health/live, /health/ready and /metrics, and no
predictions. It has a low priority (nice 10). The rows that it runs when it stops go back to the queue.

  --models DIR     folder of the models (MODELS_DIR, else models): the same as of the servers
  --host HOST      address to listen on (HOST, else 127.0.0.1)
  --port PORT      port, or 0 for any free port (PORT, else 8001)
  --env-file FILE  file of settings (ENV_FILE, else .env if it exists)

All other settings are environment variables, or lines of that file: see docs/configuration.md.
`,
  options: serverOptions,
  maxPositionals: 0,
  run(args, context) {
    // The rows of jobs yield to those of a server on the same machine.
    lowerPriority();
    // JOBS_WORK is a setting of the servers, which may share the settings file.
    return runServerCommand(args, context, 'worker', { JOBS_WORK: 'on' });
  },
};
