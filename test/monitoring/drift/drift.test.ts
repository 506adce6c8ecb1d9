import { describe, expect, test } from 'vitest';
import type { LoadedVersion } from '../../../src/models/registry/loaded-version.js';
import { type DriftColumn, listColumns } from '../../../src/monitoring/drift/drift-column.js';
import { createDriftGauges } from '../../../src/monitoring/drift/drift-metrics.js';
import { compareWithReference } from '../../../src/monitoring/drift/drift-report.js';
import { extentOf, shareOfAll } from '../../../src/monitoring/drift/drift-sample.js';
import { DriftWindow } from '../../../src/monitoring/drift/drift-window.js';
import { createMetrics } from '../../../src/monitoring/metrics.js';
import { runAtOnce } from '../../../src/time/slices.js';

const manifest: LoadedVersion['manifest'] = {
  name: 'm',
  version: '1',
  task: 'regression',
  sha256: {},
  features: [
    { name: 'x', type: 'number' },
    { name: 'region', type: 'string', default: 'north' },
  ],
};
const reference = {
  rows: 1_000,
  features: {
    x: { missing: 0, sample: Array.from({ length: 1_000 }, (_unused, k) => k / 1_000) },
    region: { missing: 0, counts: { north: 900, south: 100 } },
  },
};
const { columns } = listColumns(manifest, reference);
const answer = { value: { prediction: 1 }, fieldsJson: '' };
const hour = 3_600_000;
const windowOf = (rows: number) => new DriftWindow(columns, { rows, ms: 24 * hour });
const column = (values: Float64Array, k: number) =>
  Array.from(
    { length: values.length / columns.length },
    (_unused, row) => values[row * columns.length + k] as number,
  );

describe('the window', () => {
  test('keeps numbers, codes of categories, defaults and missing values', () => {
    const window = windowOf(400);
    window.observe({ x: 0.5, region: 'south' }, answer, 0);
    window.observe({ x: null }, answer, 1);
    window.observe({ x: 2, region: 'moon' }, answer, 2);
    const { values, seen, rows, since, until } = window.sample(3) ?? expect.fail('no sample');
    expect([seen, rows, since, until]).toEqual([3, 3, 0, 2]);
    expect(column(values, 0)).toEqual([0.5, Number.NaN, 2]);
    // The place among the categories of the reference, the most frequent first; 2 for any other.
    expect(column(values, 1)).toEqual([1, 0, 2]);
  });

  test('draws evenly from each part of its time, however many rows a part has', () => {
    const window = windowOf(400);
    // A burst of 50,000 rows in the first hour, then 5,000 in each of the following quarters of the day.
    for (let k = 0; k < 50_000; k += 1) window.observe({ x: 0 }, answer, k);
    for (const quarter of [1, 2, 3])
      for (let k = 0; k < 5_000; k += 1) window.observe({ x: quarter }, answer, quarter * 6 * hour + k);
    const { values, seen, rows } = window.sample(19 * hour) ?? expect.fail('no sample');
    expect(seen).toBe(65_000);
    const counts = [0, 1, 2, 3].map((quarter) => column(values, 0).filter((x) => x === quarter).length);
    // In proportion to the rows that came: 10 to 1.
    expect(counts[0]).toBe(307);
    for (const count of counts.slice(1)) expect(count).toBe(30);
    expect(rows).toBe(397);
  });

  test('of its least size has all its rows from the first quarter on, and after each part that leaves', () => {
    const window = windowOf(200);
    // 100 rows an hour for three days.
    for (let k = 0; k < 7_200; k += 1) {
      const now = (k * hour) / 100;
      window.observe({ x: k }, answer, now);
      const rows = window.sample(now)?.rows ?? 0;
      // Of four parts one has left, and a part gives whole rows.
      expect(rows, `after ${k + 1} rows`).toBeGreaterThanOrEqual(k < 2_400 ? Math.min(k + 1, 197) : 146);
      expect(rows).toBeLessThanOrEqual(200);
    }
  });

  test('has enough rows to compare after a burst has left', () => {
    const window = windowOf(800);
    for (let k = 0; k < 50_000; k += 1) window.observe({ x: 0 }, answer, k);
    for (const quarter of [1, 2, 3])
      for (let k = 0; k < 500; k += 1) window.observe({ x: quarter }, answer, quarter * 6 * hour + k);
    window.observe({ x: 4 }, answer, 24.5 * hour);
    const { values, seen } = window.sample(24.5 * hour) ?? expect.fail('no sample');
    expect(seen).toBe(1_501);
    const counts = [0, 1, 2, 3].map((quarter) => column(values, 0).filter((x) => x === quarter).length);
    expect(counts).toEqual([0, 100, 100, 100]);
  });

  test('draws each row of a part with the same chance, whenever the part was thinned', () => {
    const ranks: number[] = [];
    for (let round = 0; round < 200; round += 1) {
      const window = windowOf(200);
      for (let k = 0; k < 1_000; k += 1) window.observe({ x: k }, answer, k);
      for (let k = 0; k < 1_000; k += 1) window.observe({ x: -1 }, answer, 6 * hour + k);
      const { values } = window.sample(6 * hour + 1_000) ?? expect.fail('no sample');
      ranks.push(...column(values, 0).filter((x) => x >= 0));
    }
    expect(ranks).toHaveLength(200 * 100);
    // 20,000 of 0 to 999: the deviation of their mean is 2.
    expect(Math.abs(ranks.reduce((sum, it) => sum + it, 0) / ranks.length - 499.5)).toBeLessThan(12);
  });

  test('keeps at most 2 1/4 times its rows', () => {
    const window = windowOf(1_600);
    let most = 0;
    for (let k = 0; k < 60_000; k += 1) {
      // Quarters of 9,000, 1,000, 9,000 … rows.
      const [round, of] = [Math.floor(k / 10_000), k % 10_000];
      const now = (round * 12 + (of < 9_000 ? 0 : 6)) * hour + of;
      window.observe({ x: k }, answer, now);
      most = Math.max(
        most,
        window.parts(now).reduce((sum, { kept }) => sum + kept, 0),
      );
    }
    expect(most).toBeGreaterThan(1_600);
    expect(most).toBeLessThanOrEqual(3_600);
  });

  test('reads columns of the same rows', () => {
    const window = windowOf(400);
    for (let k = 0; k < 5_000; k += 1)
      window.observe({ x: k % 2, region: k % 2 === 0 ? 'north' : 'south' }, answer, k * 10_000);
    const parts = window.parts(50_000_000);
    expect(parts).toHaveLength(3);
    const { rows, values } = window.read(0, 2, shareOfAll(parts, 400));
    expect(rows).toBe(extentOf(parts, 400)?.rows);
    expect(values.slice(0, rows)).toEqual(values.slice(rows));
    expect(window.read(1, 2, shareOfAll(parts, 400)).values).toEqual(values.slice(rows));
  });

  test('forgets rows that are older than its time', () => {
    const window = windowOf(400);
    window.observe({ x: 1 }, answer, 0);
    window.observe({ x: 2 }, answer, 20 * hour);
    expect(window.sample(23 * hour)?.rows).toBe(2);
    expect(column(window.sample(25 * hour)?.values ?? new Float64Array(), 0)).toEqual([2]);
    expect(window.sample(100 * hour)).toBe(undefined);
  });

  test('most rows of a full window are only counted', () => {
    const window = windowOf(10_000);
    const row = { x: 0.5, region: 'south' };
    for (let k = 0; k < 200_000; k += 1) window.observe(row, answer, k / 100);
    const started = performance.now();
    for (let k = 0; k < 200_000; k += 1) window.observe(row, answer, 2_000 + k / 100);
    // Many times the measured time, 0.2 µs: the machine may be busy.
    expect((performance.now() - started) / 200).toBeLessThan(5);
  });
});

describe('the report', () => {
  const reportOn = (values: readonly number[]) =>
    runAtOnce(
      compareWithReference(
        columns,
        { rows: values.length / 2, values: Float64Array.from(values) },
        { referenceRows: 1_000, threshold: 0.05 },
      ),
    );

  test('adjusts for the number of columns: thirty of them give no alarm where one would', () => {
    const many = Array.from({ length: 30 }, () => columns[0] as DriftColumn);
    const rows = 200;
    // Each column but the first is like the reference; the first alone has a p-value of about 0.03.
    const values = new Float64Array(rows * many.length);
    for (let row = 0; row < rows; row += 1)
      for (let k = 0; k < many.length; k += 1)
        values[row * many.length + k] = ((row + 0.5) / rows) * (k === 0 ? 0.88 : 1);
    const alone = runAtOnce(
      compareWithReference(
        many.slice(0, 1),
        { rows, values: values.filter((_value, at) => at % 30 === 0) },
        { referenceRows: 1_000, threshold: 0.05 },
      ),
    );
    expect(alone.columns[0]?.pValue).toBeLessThan(0.05);
    expect(alone.columns[0]?.drifted).toEqual(['values']);
    const together = runAtOnce(
      compareWithReference(many, { rows, values }, { referenceRows: 1_000, threshold: 0.05 }),
    );
    expect(together.columns[0]?.pValue).toBe(alone.columns[0]?.pValue);
    expect(together.columns.filter(({ drifted }) => drifted.length > 0)).toEqual([]);
  });

  test('compares 30 columns of 10,000 rows in steps of a few milliseconds', () => {
    const many = Array.from({ length: 30 }, () => columns[0] as DriftColumn);
    const values = Float64Array.from({ length: 300_000 }, () => Math.random());
    const steps = compareWithReference(
      many,
      { rows: 10_000, values },
      { referenceRows: 1_000, threshold: 0.05 },
    );
    let longest = 0;
    for (;;) {
      const started = performance.now();
      const { done } = steps.next();
      longest = Math.max(longest, performance.now() - started);
      if (done) break;
    }
    // A step takes about one millisecond where the machine is not busy.
    expect(longest).toBeLessThan(250);
  });

  test('shows categories that the reference does not have, and columns without values', () => {
    const report = reportOn(
      Array.from({ length: 400 }, (_unused, k) => (k % 2 === 0 ? Number.NaN : k % 4 === 1 ? 2 : 0)),
    );
    expect(report.columns).toMatchObject([
      // Each value is missing, and none was in training.
      { name: 'x', test: 'missing_rate', missing: 1, referenceMissing: 0, drifted: ['missing'] },
      { name: 'region', unseen: 0.5, drifted: ['values'], missing: 0 },
    ]);
    expect(report.incomparable).toEqual([]);
  });

  test('finds values that are missing more often, although the others are as they were', () => {
    const report = reportOn(
      Array.from({ length: 2_000 }, (_unused, k) => {
        if (k % 2 === 1) return k % 20 === 1 ? 1 : 0;
        return k % 40 === 0 ? Number.NaN : k / 2_000;
      }),
    );
    expect(report.columns).toMatchObject([
      { name: 'x', drifted: ['missing'], missing: 0.05 },
      { name: 'region', drifted: [] },
    ]);
    const [x] = report.columns;
    expect(x?.pValue).toBeGreaterThan(0.5);
    expect(x?.missingPValue).toBeLessThan(1e-6);
    // Missing values are a bin: (0.05 - 0.0001) × ln(0.05 / 0.0001).
    expect(x?.psi).toBeCloseTo(0.31, 1);
  });

  test('gives gauges for each column, which end with the report and with the version', async () => {
    const metrics = createMetrics({ includesProcess: false });
    const gauges = createDriftGauges(metrics);
    const report = reportOn(Array.from({ length: 400 }, (_unused, k) => (k % 2 === 0 ? 5 : 0)));
    gauges.show('m', '1', 200, report);
    const text = await metrics.text();
    expect(text).toContain(
      'feature_drift_detected{model="m",model_version="1",column="feature",feature="x"} 1',
    );
    expect(text).toMatch(
      /feature_drift_p_value\{model="m",model_version="1",column="feature",feature="x",test="kolmogorov_smirnov"\} \d/,
    );
    expect(text).toContain('feature_drift_statistic{');
    expect(text).toContain('feature_drift_psi{');
    expect(text).toContain('drift_window_rows{model="m",model_version="1"} 200');
    gauges.show('m', '1', 50, undefined);
    expect(await metrics.text()).not.toContain('feature_drift_detected{');
    gauges.keepOnly(new Set());
    expect(await metrics.text()).not.toContain('drift_window_rows{');
  });
});
