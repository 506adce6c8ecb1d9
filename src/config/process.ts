import { Type } from '@sinclair/typebox';
import { Milliseconds } from './setting-types.js';

/** The processes themselves: how many, what they say, how they end. */
export const processVariables = {
  ENV_FILE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'A file of settings, a NAME=value a line. Variables that are set win. Without it: ".env" in the folder where the server is started, if there is one.',
    }),
  ),
  WORKERS: Type.Integer({
    minimum: 1,
    maximum: 256,
    default: 1,
    description: 'Processes that answer behind the one port. Each loads every model.',
  }),
  WORKER_SILENCE_TIMEOUT_MS: Milliseconds(
    'The longest that one of several workers may answer nothing that its supervisor asks; then it is killed and replaced.',
    10_000,
    1_000,
  ),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    {
      default: 'info',
      description:
        'How much is logged, to standard output, one JSON object a line. "debug" adds a line for each request. At a terminal "warn" is enough, unless it is set.',
    },
  ),
  SHUTDOWN_DELAY_MS: Milliseconds(
    'How long the server goes on answering after SIGTERM while its readiness says 503.',
    0,
  ),
  SHUTDOWN_TIMEOUT_MS: Milliseconds(
    'After this long, a shutdown cuts the connections that are left.',
    10_000,
  ),
};
