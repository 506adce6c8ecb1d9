import { expect, test } from 'vitest';
import { toPoints } from '../../../src/monitoring/traffic/traffic-points.js';
import { createTraffic } from '../../../src/monitoring/traffic/traffic-steps.js';
import type { PredictionEvent } from '../../../src/prediction-event.js';

const event = (
  model: string,
  status: PredictionEvent['status'],
  latencyMs: number,
  source: PredictionEvent['source'] = 'online',
) => ({ model, status, latencyMs, source }) as PredictionEvent;

test('traffic is counted in steps of 5 s, of several processes together, and forgotten after 5 minutes', () => {
  let now = 1_000_000_000;
  const [one, two] = [createTraffic(() => now), createTraffic(() => now)];
  for (let ms = 1; ms <= 1_000; ms += 1) (ms % 2 === 0 ? one : two).subscriber(event('m', 'ok', ms));
  one.subscriber(event('n', 'invalid_input', 0));
  two.subscriber(event('n', 'run_failed', 1e9));
  now += 10_000;
  one.subscriber(event('m', 'ok', 3));
  now += 5_000;
  const points = toPoints(JSON.parse(JSON.stringify([...one.steps(), ...two.steps()])), now);
  expect(points.map(({ at, requests, refused, failed }) => [at, requests, refused, failed])).toEqual([
    [1_000_000_000, 1_002, 1, 1],
    [1_000_005_000, 0, 0, 0],
    [1_000_010_000, 1, 0, 0],
  ]);
  expect(Math.abs((points[0]?.p50_ms ?? 0) / 500 - 1)).toBeLessThan(0.1);
  expect(Math.abs((points[0]?.p99_ms ?? 0) / 990 - 1)).toBeLessThan(0.1);
  expect(points[1]?.p50_ms).toBe(null);
  now += 290_000;
  expect(toPoints(one.steps(), now)[0]).toMatchObject({ at: 1_000_010_000, requests: 1 });
  now += 10_000;
  expect(toPoints(one.steps(), now)).toEqual([]);
});

test('a row of a batch counts without its latency, which is that of many rows; a row of a job does not count', () => {
  let now = 1_000_000_000;
  const traffic = createTraffic(() => now);
  traffic.subscriber(event('m', 'ok', 4));
  traffic.subscriber(event('m', 'ok', 3_000, 'batch'));
  for (let k = 0; k < 256; k += 1) traffic.subscriber(event('m', 'ok', 3_000, 'job'));
  now += 5_000;
  const [point] = toPoints(traffic.steps(), now);
  expect(point?.requests).toBe(2);
  expect(point?.p99_ms).toBeLessThan(5);
});
