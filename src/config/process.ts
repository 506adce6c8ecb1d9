import { Type } from '@sinclair/typebox';
import { Milliseconds } from './setting-types.js';

/** Processes: settings file, workers, log, shutdown. */
export const processVariables = {
  ENV_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The settings file, one NAME=value a line. Variables of the environment override it. Without it: ".env" in the folder where the server is started, if that file exists.',
    }),
  ),
  WORKERS: Type.Integer({
    minimum: 1,
    maximum: 256,
    default: 1,
    description: 'The number of processes that answer behind the one port. Each loads every model.',
  }),
  WORKER_SILENCE_TIMEOUT_MS: Milliseconds(
    'How long a worker may leave the questions of its supervisor unanswered; after it, the worker is killed and replaced.',
    10_000,
    1_000,
  ),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    {
      default: 'info',
      description:
        'The lowest level that is logged, to standard output, one JSON object a line. "debug" adds a line for each request. If standard output is a terminal, the default is "warn".',
    },
  ),
  SHUTDOWN_DELAY_MS: Milliseconds(
    'After SIGTERM the server still answers for this long, while /health/ready is 503.',
    0,
  ),
  SHUTDOWN_TIMEOUT_MS: Milliseconds(
    'After this time, a shutdown cuts the connections that are still open.',
    10_000,
  ),
};
