import type { LoadEvent } from '../models/registry/registry.js';
import type { PredictionEvent, Subscriber } from '../prediction-event.js';
import type { Counter, Metrics } from './metrics.js';

/** Seconds: from well under a run of a small model to the longest that anybody waits. */
export const latencyBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const;
/** Seconds: a run of a small model takes ten microseconds. */
const runBounds = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5,
];
const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/** Counts and times the predictions of each loaded version. Its labels are names of loaded models alone. */
export function createPredictionMetrics(metrics: Metrics): Subscriber {
  const total = metrics.counter('predictions_total', 'Predictions, by what came of them');
  const cache = metrics.counter(
    'prediction_cache_requests_total',
    'Answers looked for in the cache: hit, shared with a run under way, miss, bypass at the wish of the client, or aside where the cache costs more than it saves',
  );
  const latency = metrics.histogram(
    'prediction_latency_seconds',
    'From the request to its answer, waiting included',
    latencyBounds,
  );
  const queue = metrics.histogram('prediction_queue_seconds', 'The wait of a row for its run', runBounds);
  const run = metrics.histogram('prediction_run_seconds', 'Runs of the engine', runBounds);
  const rows = metrics.histogram('prediction_batch_rows', 'Rows that shared a run', rowBounds);

  const createSeries = (model: string, version: string) => {
    const labels = { model, model_version: version };
    return {
      byStatus: new Map<string, Counter>(),
      byCache: new Map<string, Counter>(),
      latency: latency.series(labels),
      queue: queue.series(labels),
      run: run.series(labels),
      rows: rows.series(labels),
    };
  };
  const models = new Map<string, Map<string, ReturnType<typeof createSeries>>>();
  const seriesOf = ({ model, version }: PredictionEvent) => {
    const versions = getOrCreate(models, model, () => new Map());
    return getOrCreate(versions, version, () => createSeries(model, version));
  };

  return (event) => {
    const series = seriesOf(event);
    const { status, model, version } = event;
    getOrCreate(series.byStatus, status, () => total.series({ model, model_version: version, status })).add(
      1,
    );
    if (event.cache !== undefined) {
      const result = event.cache;
      getOrCreate(series.byCache, result, () => cache.series({ model, result })).add(1);
    }
    series.latency.observe(event.latencyMs / 1_000);
    const { timing } = event;
    if (timing !== undefined) series.queue.observe(timing.queueMs / 1_000);
    // A run is counted once, by the first of the rows that shared it.
    if (timing?.batchIndex === 0) {
      series.run.observe(timing.runMs / 1_000);
      series.rows.observe(timing.batchRows);
    }
  };
}

/** Tells which versions were loaded or refused, and what their manifests claim. */
export function createLoadMetrics(metrics: Metrics): (event: LoadEvent) => void {
  const loads = metrics.counter('model_loads_total', 'Loads of versions, by result: ready or refused');
  const info = metrics.gauge('model_info', 'A loaded version and its identity; always 1');
  const accuracy = metrics.gauge('model_accuracy', "A version's accuracy; source says whose figure it is");
  const loadSeconds = metrics.gauge('model_load_seconds', 'How long the load of a version took');
  return ({ model, version, outcome }) => {
    loads.series({ model, result: outcome.state }).add(1);
    if (outcome.state !== 'ready') return;
    const { manifest, identity, executorKind, loadStats } = outcome.loaded;
    const labels = { model, model_version: version };
    info.series({ ...labels, task: manifest.task, executor: executorKind, identity }).set(1);
    loadSeconds.series(labels).set(loadStats.loadMs / 1_000);
    const claimed = manifest.metrics?.['accuracy'];
    if (claimed !== undefined) accuracy.series({ ...labels, source: 'manifest' }).set(claimed);
  };
}

/** Times answers by method, route pattern and status: all three from our own tables, never from the network. */
export function createHttpMetrics(metrics: Metrics) {
  const family = metrics.histogram(
    'http_request_duration_seconds',
    'Requests, from the first byte of the headers',
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
