import { describe, expect, test } from 'vitest';
import type { LoadedVersion } from '../../../src/models/registry/loaded-version.js';
import { type DriftColumn, listColumns } from '../../../src/monitoring/drift/drift-column.js';
import { createDriftGauges } from '../../../src/monitoring/drift/drift-metrics.js';
import { compareWithReference } from '../../../src/monitoring/drift/drift-report.js';
import { mergeSamples, packSample, unpackSample } from '../../../src/monitoring/drift/drift-sample.js';
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
    expect(counts[0]).toBe(100);
    for (const count of counts.slice(1)) expect(count).toBe(10);
    expect(rows).toBe(130);
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

test('samples of several processes are merged in proportion to the rows that came, and survive their packing', () => {
  const sampleOf = (value: number, seen: number, rows: number) => ({
    seen,
    rows,
    since: value,
    until: value,
    values: new Float64Array(rows * 2).fill(value),
  });
  const merged = mergeSamples([sampleOf(1, 900, 100), sampleOf(2, 300, 100)], 2, 1_000);
  expect([merged.seen, merged.rows, merged.since, merged.until]).toEqual([1_200, 133, 1, 2]);
  expect(merged.values.filter((it) => it === 1)).toHaveLength(200);
  expect(unpackSample(packSample(merged))).toEqual(merged);
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
