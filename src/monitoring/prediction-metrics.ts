import type { LoadEvent } from '../models/registry/registry.js';
import type { PredictionEvent, Predictions } from '../prediction-event.js';
import type { Histogram } from './histogram.js';
import type { Counter, Metrics } from './metrics.js';
import { createQualityFamilies, findTrainingMetric } from './quality-families.js';

/** Seconds, from far less than the run of a small model to the longest useful wait. */
export const latencyBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const;
/** Seconds: a run of a small model takes ten microseconds. */
const runBounds = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5,
];
const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/** Counts and times predictions. The labels are names of loaded versions only. */
export function addPredictionMetrics(metrics: Metrics, predictions: Predictions): void {
  const total = metrics.counter('predictions_total', 'Predictions, by status: ok or the code of the error');
  const cache = metrics.counter(
    'prediction_cache_requests_total',
    'Lookups in the cache, by result: hit, shared (with a run under way), miss, bypass (requested by the client), aside (the cache costs more than it saves)',
  );
  const latency = metrics.histogram(
    'prediction_latency_seconds',
    'Time from the request to its answer, including the wait for a run',
    latencyBounds,
  );
  const check = metrics.histogram(
    'prediction_check_seconds',
    'Time from the first byte that the parser reads to a row that the check has accepted',
    runBounds,
  );
  const encode = metrics.histogram(
    'prediction_encode_seconds',
    'Time from the end of the run to the text of the answer',
    runBounds,
  );
  const queue = metrics.histogram('prediction_queue_seconds', 'How long a row waited for its run', runBounds);
  const run = metrics.histogram('prediction_run_seconds', 'How long a run of the engine took', runBounds);
  const rows = metrics.histogram('prediction_batch_rows', 'Rows in one run of the engine', rowBounds);

  const createSeries = (model: string, version: string) => {
    const labels = { model, model_version: version };
    return {
      byStatus: new Map<string, Counter>(),
      byCache: new Map<string, Counter>(),
      latency: latency.series(labels),
      check: check.series(labels),
      encode: encode.series(labels),
      queue: queue.series(labels),
      run: run.series(labels),
      rows: rows.series(labels),
    };
  };
  const models = new Map<string, Map<string, ReturnType<typeof createSeries>>>();
  const seriesOf = (model: string, version: string) => {
    const versions = getOrCreate(models, model, () => new Map());
    return getOrCreate(versions, version, () => createSeries(model, version));
  };

  predictions.subscribe((event) => {
    const { status, model, version } = event;
    const series = seriesOf(model, version);
    getOrCreate(series.byStatus, status, () => total.series({ model, model_version: version, status })).add(
      1,
    );
    if (event.cache !== undefined) {
      const result = event.cache;
      getOrCreate(series.byCache, result, () => cache.series({ model, result })).add(1);
    }
    const { timing, checkedAt, encodedAt, trace, source } = event;
    // The latency of a row of a batch or of a job is that of its whole turn: no client waits for the row alone.
    if (source !== 'job' && source !== 'batch') series.latency.observe(event.latencyMs / 1_000);
    if (trace?.isSampled) series.latency.mark(event.latencyMs / 1_000, trace.traceId, Date.now());
    if (checkedAt !== undefined) series.check.observe((checkedAt - event.since) / 1_000);
    if (timing !== undefined) {
      series.queue.observe(timing.queueMs / 1_000);
      if (encodedAt !== undefined) series.encode.observe((encodedAt - timing.endedAt) / 1_000);
    }
    if (timing?.runs !== undefined) for (const run of timing.runs) countRun(series, run);
    else if (timing !== undefined) countRun(series, timing);
  });
  predictions.subscribeCounts(({ name: model, version }, { statuses, runs }) => {
    const series = seriesOf(model, version);
    for (const [status, count] of Object.entries(statuses)) {
      getOrCreate(series.byStatus, status, () => total.series({ model, model_version: version, status })).add(
        count,
      );
    }
    for (const { queueMs, runMs, rows } of runs) {
      for (let k = 0; k < rows; k += 1) series.queue.observe(queueMs / 1_000);
      series.run.observe(runMs / 1_000);
      series.rows.observe(rows);
    }
  });
}

/** The first row of a run counts the run. */
function countRun(
  { run, rows }: Readonly<Record<'run' | 'rows', Histogram>>,
  { batchIndex, runMs, batchRows }: NonNullable<PredictionEvent['timing']>,
): void {
  if (batchIndex !== 0) return;
  run.observe(runMs / 1_000);
  rows.observe(batchRows);
}

/** Counts loads, and describes the loaded versions. */
export function createLoadMetrics(metrics: Metrics): (event: LoadEvent) => void {
  const loads = metrics.counter('model_loads_total', 'Loads of versions, by result: ready or refused');
  const info = metrics.gauge('model_info', 'A loaded version and its identity; always 1');
  const figures = createQualityFamilies(metrics);
  const loadSeconds = metrics.gauge('model_load_seconds', 'How long the load of a version took');
  return ({ model, version, outcome }) => {
    loads.series({ model, result: outcome.state }).add(1);
    if (outcome.state !== 'ready') return;
    const { manifest, identity, executorKind, loadStats } = outcome.loaded;
    const labels = { model, model_version: version };
    info.series({ ...labels, task: manifest.task, executor: executorKind, identity }).set(1);
    loadSeconds.series(labels).set(loadStats.loadMs / 1_000);
    for (const figure of ['accuracy', 'mae', 'rmse'] as const) {
      const claimed = findTrainingMetric(manifest.metrics ?? {}, figure);
      if (claimed !== undefined) figures[figure].series({ ...labels, source: 'manifest' }).set(claimed);
    }
  };
}

/** Times answers by method, route pattern and status. All labels come from the code, never from the network. */
export function createHttpMetrics(metrics: Metrics) {
  const family = metrics.histogram(
    'http_request_duration_seconds',
    'Time from the first byte of the headers to the end of the answer',
    latencyBounds,
  );
  return (method: string, route: string) => {
    const byStatus: ReturnType<typeof family.series>[] = [];
    return (status: number, seconds: number): void => {
      byStatus[status] ??= family.series({ method, route, status: String(status) });
      byStatus[status].observe(seconds);
    };
  };
}

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}
