import { expect, test } from 'vitest';
import { expose } from '../../src/monitoring/exposition.js';
import { sumMetrics } from '../../src/monitoring/metric-sums.js';
import { createMetrics, type MetricsSnapshot } from '../../src/monitoring/metrics.js';

test('one worker whose event loop is late shows among those that are not', async () => {
  type Json = MetricsSnapshot[number] & { readonly values: readonly { readonly value: number }[] };
  const name = 'nodejs_eventloop_lag_p99_seconds';
  const workers = await Promise.all(
    [0.9, 0.01, 0.01, 0.01].map(async (value) => {
      const metrics = createMetrics();
      const all = (await metrics.snapshot()) as readonly Json[];
      metrics.close();
      return all.map((it) => (it.name === name ? { ...it, values: [{ value, labels: {} }] } : it));
    }),
  );
  const summed = (await sumMetrics(workers)).find((it) => it.name === name) as Json;
  expect(summed.values.map(({ value }) => value)).toEqual([0.9]);
});

/** How many turns of the event loop others get while `work` runs. */
async function countTurns<T>(work: Promise<T>): Promise<{ readonly result: T; readonly turns: number }> {
  let [turns, isDone] = [0, false];
  const turn = () => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const result = await work;
  isDone = true;
  return { result, turns };
}

test('a scrape of many series gives the thread to others between two families', async () => {
  const metrics = createMetrics({ includesProcess: false });
  const names = Array.from({ length: 10 }, (_, k) => `seconds_${k}`);
  for (const name of names) {
    const family = metrics.histogram(name, 'Help', [1, 2, 3]);
    for (let k = 0; k < 1_000; k += 1) family.series({ model: `m${k}` }).observe(1.5);
  }
  const snapshot = await metrics.snapshot();
  const sums = await countTurns(sumMetrics([snapshot, snapshot]));
  expect(sums.turns).toBeGreaterThan(3);
  const text = await countTurns(expose(sums.result, undefined));
  expect(text.turns).toBeGreaterThan(3);
  const lines = text.result.text.split('\n');
  for (const name of names) {
    expect(lines).toContain(`${name}_bucket{model="m999",le="2"} 2`);
    expect(lines).toContain(`${name}_sum{model="m999"} 3`);
  }
});
