import { expect, test } from 'vitest';
import { ClusterReport } from '../../src/cluster/cluster-report.js';
import { createMetrics, expose, type MetricsSnapshot } from '../../src/monitoring/metrics.js';

/** A slot whose worker counted this much; with undefined the worker does not answer. */
function createPlace(number: number, counted: number | undefined) {
  return {
    number,
    counted,
    isRunning: true,
    hasListened: true,
    async ask(subject: 'metrics' | 'readiness') {
      if (this.counted === undefined) return undefined;
      if (subject === 'readiness') return [];
      const metrics = createMetrics({ includesProcess: false });
      metrics.counter('asked_total', 'asked').series({}).add(this.counted);
      metrics.gauge('loaded', 'loaded').series({}).set(1);
      metrics.histogram('took_seconds', 'took', [1]).series({}).observe(this.counted);
      // A channel between processes passes JSON.
      return JSON.parse(JSON.stringify(await metrics.snapshot())) as MetricsSnapshot;
    },
  };
}
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
