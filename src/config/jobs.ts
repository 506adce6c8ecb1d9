import { Type } from '@sinclair/typebox';

/** Batches and jobs. */
export const jobVariables = {
  BATCH_BODY_LIMIT_BYTES: Type.Integer({
    minimum: 1_024,
    maximum: 1_099_511_627_776,
    default: 1_073_741_824,
    description: 'The maximum size of the body of a batch, after it is unpacked.',
  }),
  BATCH_MAX_ROWS: Type.Integer({
    minimum: 1,
    maximum: 100_000_000,
    default: 1_000_000,
    description: 'The maximum number of rows of a batch.',
  }),
  STATE_DIR: Type.String({
    minLength: 1,
    default: 'data',
    description:
      'The folder of batch jobs: their rows, their results and their states. It is created with the first job. Several processes may share it.',
  }),
  JOB_TTL_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 31_536_000,
    default: 86_400,
    description: 'How long an ended job and its results are kept.',
  }),
  JOBS_MAX_OPEN: Type.Integer({
    minimum: 1,
    maximum: 10_000_000,
    default: 10_000,
    description: 'The maximum number of jobs that wait or run.',
  }),
  JOBS_MIN_FREE_MB: Type.Integer({
    minimum: 0,
    maximum: 1_048_576,
    default: 256,
    description: 'The free space of the disk below which no job is accepted.',
  }),
  JOBS_DIR: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'With REDIS_URL: the folder that all servers and workers share, for the rows and results that do not fit into Redis. Without it, a larger job is refused.',
    }),
  ),
  JOBS_REDIS_MAX_MB: Type.Integer({
    minimum: 0,
    maximum: 1_024,
    default: 64,
    description: 'With REDIS_URL: the memory of Redis for the rows and results of one job, compressed.',
  }),
  JOBS_PROCESS: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description:
      'Whether this server runs large batch jobs in a process of their own, which starts with the first one, has a low priority, and ends after a minute without rows. It takes about 90 MB, and does not start if less than 256 MB are free. With "off" the rows run on the thread of the server and delay requests more.',
  }),
  JOBS_WORK: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description:
      'Whether this server runs batch jobs. With "off" it only accepts them, and workers (sardonyx worker) run them; that needs REDIS_URL, or a STATE_DIR that they share.',
  }),
};
