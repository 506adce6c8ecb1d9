import fp from 'fastify-plugin';
import { type Config, limitsOf } from '../config/read-config.js';
import { StreamPlaces } from '../http/stream-places.js';
import { createChunkRunner } from '../jobs/chunk-runner.js';
import { type JobStoreSettings, openJobStore } from '../jobs/open-job-store.js';
import { createProcessChunkRunner } from '../jobs/process/process-chunk-runner.js';
import { countRows } from '../jobs/queue/job.js';
import type { JobEvents, JobStore } from '../jobs/queue/job-store.js';
import { LineLimit } from '../log/line-limit.js';
import { toLoggedError } from '../log/logged-error.js';
import { createJobMetrics } from '../monitoring/job-metrics.js';
import { toResultLines } from '../schemas/batch.js';
import { type RedisConfig, readRedisSettings } from './redis.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Batch jobs: they survive the end of the process. */
    readonly jobs: JobStore;
    /** The places of the clients that read stored results. */
    readonly resultReaders: StreamPlaces;
  }
}

const countEveryMs = 2_000;
/** Clients that read stored results as a stream at the same time: each holds some megabytes. */
const maxReaders = 50;

type JobsConfig = JobStoreSettings &
  RedisConfig &
  Pick<Config, 'ERROR_DETAIL' | 'JOBS_WORK' | 'JOBS_PROCESS' | 'MODELS_DIR' | keyof LimitSettings>;
type LimitSettings = Parameters<typeof limitsOf>[0];

/** Keeps and runs batch jobs. They run once the models are loaded. */
export default fp<JobsConfig>(
  async function jobsPlugin(app, config) {
    const metrics = createJobMetrics(app.metrics);
    const { REDIS_URL: url } = config;
    const store = await openJobStore(config, url === undefined ? undefined : readRedisSettings(url, config), {
      ...createLog(app.log),
      ...metrics,
      onEnd,
      onLosses(losses) {
        metrics.onLosses(Object.keys(losses));
        if (Object.keys(losses).length === 0) return;
        app.log.warn(
          { losses: Object.keys(losses) },
          `Redis may lose batch jobs: ${Object.values(losses).join('; ')}`,
        );
      },
    });
    function onEnd(job: Parameters<JobEvents['onEnd']>[0]): void {
      metrics.onEnd(job);
      const { id: job_id, model, version: model_version, state, failedRows: failed, failure } = job;
      const about = { job_id, model, model_version, state, rows: countRows(job), failed };
      if (failure === undefined) app.log.info(about, 'batch job ended');
      else app.log.error({ ...about, reason: failure.detail, code: failure.code }, 'batch job failed');
    }
    app.decorate('jobs', store);
    app.decorate('resultReaders', new StreamPlaces(maxReaders, 'read results'));
    const showsProblems = config.ERROR_DETAIL === 'on';
    const runHere = createChunkRunner(app.registry, app.batchPredictor, (from, outcomes) =>
      toResultLines(from, outcomes, showsProblems),
    );
    const own =
      config.JOBS_PROCESS === 'off'
        ? undefined
        : createProcessChunkRunner(app.registry, app.predictions, {
            modelsDir: config.MODELS_DIR,
            limits: limitsOf(config),
            showsProblems,
            runHere,
            isBusy: () => app.batchPredictor.isBusy,
            ...createProcessLog(app.log, metrics.onProcessEnd),
          });
    const count = () => store.counts().then(metrics.onCounts, () => undefined);
    const timer = setInterval(count, countEveryMs).unref();
    app.modelsLoaded.then(
      () => {
        const run = own?.run ?? runHere;
        if (!app.isDraining() && config.JOBS_WORK === 'on') store.work(app.traceChunks?.(run) ?? run);
      },
      () => undefined,
    );
    // Before the connections are closed: the rows of jobs that run go back to the store.
    app.addHook('preClose', async () => {
      clearInterval(timer);
      const closed = store.close();
      own?.close();
      await closed;
    });
    app.addHook('onClose', () => store.disconnect?.());
  },
  { name: 'jobs', fastify: '5.x', dependencies: ['predictor', 'metrics', 'registry', 'drain'] },
);

function createProcessLog(log: { warn: (about: object, text: string) => void }, count: () => void) {
  const limit = new LineLimit();
  return {
    onEnd(how: string) {
      count();
      const unlogged = limit.take('end');
      if (unlogged !== undefined) log.warn({ how, unlogged }, 'the process of batch jobs has ended');
    },
    onUnloadable({ model, version: model_version }: { model: string; version: string }, reason: string) {
      const unlogged = limit.take('unloadable');
      if (unlogged === undefined) return;
      const about = { model, model_version, reason, unlogged };
      log.warn(about, 'the process of batch jobs cannot load a version: its rows run on the server');
    },
  };
}

/** A broken disk, or a model that cannot answer, would cause many lines. */
function createLog(log: {
  error: (about: object, text: string) => void;
  warn: (about: object, text: string) => void;
}) {
  const limit = new LineLimit();
  return {
    onRetry: ((job, chunk, error) => {
      const unlogged = limit.take('retry');
      if (unlogged === undefined) return;
      const about = { job_id: job.id, model: job.model, model_version: job.version, chunk };
      log.warn(
        { ...about, err: toLoggedError(error), unlogged },
        'a chunk of a batch job failed: it is run again',
      );
    }) satisfies JobEvents['onRetry'],
    onTrouble: ((error) => {
      const unlogged = limit.take('trouble');
      if (unlogged === undefined) return;
      log.error({ err: toLoggedError(error), unlogged }, 'the store of batch jobs failed');
    }) satisfies JobEvents['onTrouble'],
  };
}
