import { expect, test } from 'vitest';
import { ClusterReport } from '../../src/cluster/cluster-report.js';
import { expose } from '../../src/monitoring/exposition.js';
import { createMetrics, type MetricsSnapshot } from '../../src/monitoring/metrics.js';

/** A slot whose worker counted this much; with undefined the worker does not answer. */
function createPlace(number: number, counted: number | undefined) {
  return {
    number,
    counted,
    isRunning: true,
    isListening: true,
    hasListened: true,
    async ask(subject: 'metrics' | 'readiness' | 'quality' | 'feedback' | 'drift'): Promise<unknown> {
      if (this.counted === undefined) return undefined;
      if (subject === 'readiness') return [];
      if (subject === 'feedback') return feedback(number);
      if (subject === 'drift') return `rows of ${number}`;
      if (subject === 'quality') {
        const cells = { n: 10, 'c[1,1]': this.counted, 'c[0,1]': 10 - this.counted };
        return [{ model: 'm', version: '1', shape: { kind: 'classes', classes: [0, 1] }, cells }];
      }
      const metrics = createMetrics({ includesProcess: false });
      metrics.counter('asked_total', 'asked').series({}).add(this.counted);
      metrics.gauge('loaded', 'loaded').series({}).set(1);
      metrics.histogram('took_seconds', 'took', [1]).series({}).observe(this.counted);
      // A channel between processes passes JSON.
      return JSON.parse(JSON.stringify(await metrics.snapshot())) as MetricsSnapshot;
    },
  };
}
const feedback = (number: number) =>
  [1, 2, 3].map((it) => ({ result: it === number ? ('recorded' as const) : ('unknown' as const) }));

type Place = Parameters<ClusterReport['retire']>[0];
const reportOf = (...slots: ReturnType<typeof createPlace>[]) =>
  new ClusterReport(slots as unknown as Place[]);

const textOf = async (report: ClusterReport) => (await expose(await report.metrics(), undefined)).text;

test('counters and histograms of several workers are added, gauges are not', async () => {
  const text = await textOf(reportOf(createPlace(1, 3), createPlace(2, 4)));
  expect(text).toContain('asked_total 7\n');
  expect(text).toContain('took_seconds_sum 7\n');
  expect(text).toContain('took_seconds_bucket{le="+Inf"} 2\n');
  expect(text).toContain('loaded 1\n');
  expect(text).toContain('metrics_workers_answered 2\n');
});

test('after the end of a worker its counts stay, and its gauges are dropped', async () => {
  const [one, two] = [createPlace(1, 3), createPlace(2, 4)];
  const report = reportOf(one, two);
  await report.metrics();
  report.retire(two as unknown as Place);
  two.isRunning = false;
  const text = await textOf(report);
  expect(text).toContain('asked_total 7\n');
  expect(text).toContain('took_seconds_count 2\n');
  expect(text).toContain('workers_running 1\n');
  one.isRunning = false;
  report.retire(one as unknown as Place);
  const withoutWorkers = await textOf(report);
  expect(withoutWorkers).toContain('asked_total 7\n');
  expect(withoutWorkers).not.toContain('loaded 1');
});

test('a worker that does not answer counts with its last values, and not in metrics_workers_answered', async () => {
  const [one, two] = [createPlace(1, 3), createPlace(2, 4)];
  const report = reportOf(one, two);
  await report.metrics();
  two.counted = undefined;
  one.counted = 5;
  const text = await textOf(report);
  expect(text).toContain('asked_total 9\n');
  expect(text).toContain('workers_running 2\n');
  expect(text).toContain('metrics_workers_answered 1\n');
});

test('the accuracy is that of the feedback of all workers together, and of none if one does not answer', async () => {
  const [one, two] = [createPlace(1, 3), createPlace(2, 8)];
  const report = reportOf(one, two);
  const series = 'model_accuracy{model="m",model_version="1",source="live"}';
  expect(await textOf(report)).toContain(`${series} 0.55\n`);
  two.counted = undefined;
  expect(await textOf(report)).not.toContain(series);
  expect(await report.quality([])).toBe(undefined);
});

test('feedback is joined by the worker that made the prediction; a silent one may be it', async () => {
  const [one, two] = [createPlace(1, 3), createPlace(2, 4)];
  const report = reportOf(one, two);
  const results = async () => (await report.feedback(['{}'])).map(({ result }) => result);
  expect(await results()).toEqual(['recorded', 'recorded', 'unknown']);
  // Silent, and still there.
  two.counted = undefined;
  two.isRunning = false;
  expect(await results()).toEqual(['recorded', 'unavailable', 'unavailable']);
  two.isListening = false;
  expect(await results()).toEqual(['recorded', 'unknown', 'unknown']);
});

test('drift is that of the workers that answer, and says how many others have rows', async () => {
  const [one, two] = [createPlace(1, 3), createPlace(2, 4)];
  const report = reportOf(one, two);
  const all = ['rows of 1', 'rows of 2'];
  expect(await report.drift(['{}'])).toEqual({ parts: all, missing: [] });
  expect(await report.drift(['{}', '2'])).toEqual({ parts: all.slice(0, 1), missing: [2] });
  two.counted = undefined;
  expect(await report.drift(['{}'])).toEqual({ parts: all.slice(0, 1), missing: [2] });
  two.counted = 4;
  two.isRunning = false;
  expect(await report.drift(['{}'])).toEqual({ parts: all.slice(0, 1), missing: [2] });
  // Its rows have ended with it.
  two.isListening = false;
  expect(await report.drift(['{}'])).toEqual({ parts: all.slice(0, 1), missing: [] });
});
