import { describe, expect, test } from 'vitest';
import { parseReference } from '../../../src/models/examples/reference.js';
import type { Manifest } from '../../../src/models/manifest/manifest.js';
import { compareColumn } from '../../../src/monitoring/drift/column-report.js';
import { listColumns } from '../../../src/monitoring/drift/drift-column.js';
import { compareWithReference, judge } from '../../../src/monitoring/drift/drift-report.js';
import { runAtOnce } from '../../../src/time/slices.js';

const manifest: Manifest = {
  name: 'm',
  version: '1',
  task: 'regression',
  sha256: {},
  features: [
    { name: 'x', type: 'number' },
    { name: 'region', type: 'string' },
  ],
};
const x = (sample: readonly number[]) => ({ x: { missing: 0, sample: [...sample] } });
const reportOn = (sample: readonly number[], values: readonly number[]) => {
  const [column] = listColumns(manifest, { rows: sample.length, features: x(sample) }).columns;
  if (column === undefined) throw new Error('there is no column');
  return compareColumn(column, Float64Array.from(values), sample.length) ?? expect.fail('no report');
};
const repeat = (count: number, value: (k: number) => number) =>
  Array.from({ length: count }, (_unused, k) => value(k));

describe('the stability index of values that repeat', () => {
  const zeros = repeat(1_000, (k) => (k % 20 === 0 ? 100 + k / 20 : 0));

  test.each([
    ['above a constant', repeat(500, () => 7), () => 8],
    ['below a constant', repeat(500, () => 7), () => 6.999],
    ['above a negative constant', repeat(500, () => -7), () => -6.999],
    ['of the next number after a constant', repeat(500, () => 7), () => 7 + 2 ** -50],
    ['above mostly zeros', zeros, () => 50],
    ['below mostly zeros', zeros, () => -1],
    ['between the values of whole numbers', repeat(500, (k) => k % 2), () => 0.5],
  ])('is large %s', (_name, sample, value) => {
    expect(reportOn(sample, repeat(200, value)).psi).toBeGreaterThan(5);
  });

  test('is 0 for the same values, and their bins say which value they are of', () => {
    const report = reportOn(zeros, zeros);
    expect(report.psi).toBe(0);
    expect(report.bins).toEqual([
      { from: 0, to: 0, reference: 0.95, current: 0.95 },
      { from: 0, to: 149, reference: 0.05, current: 0.05 },
    ]);
    expect(
      reportOn(
        repeat(500, () => 7),
        [6, 7, 7, 9],
      ).bins,
    ).toEqual([
      { from: 6, to: 7, reference: 0, current: 0.25 },
      { from: 7, to: 7, reference: 1, current: 0.5 },
      { from: 7, to: 9, reference: 0, current: 0.25 },
    ]);
  });

  test('has ten bins for values that do not repeat', () => {
    const values = repeat(1_000, (k) => k / 10);
    const { bins, psi } = reportOn(values, values);
    expect(psi).toBe(0);
    expect(bins.map(({ from, reference }) => [from, reference])).toEqual(
      repeat(10, (k) => k).map((k) => [10 * k, 0.1]),
    );
  });
});

test('a distance that is too large for a number is left out', () => {
  const report = reportOn([-1.7e308, 1.7e308], [1.7e308, 1.7e308]);
  expect(report.pValue).toBeLessThanOrEqual(1);
  expect(report).not.toHaveProperty('wasserstein');
});

describe('a reference with hostile numbers', () => {
  const read = (file: object) => () => parseReference(Buffer.from(JSON.stringify(file)), manifest);
  const region = (counts: Record<string, number>, more = {}) => ({ region: { missing: 0, counts, ...more } });

  test.each([
    ['rows', { rows: 1e308, features: {} }, '/rows'],
    ['rows', { rows: 1e12 + 1, features: {} }, '/rows'],
    ['counts', { rows: 1, features: region({ a: 1e308, b: 1e308 }) }, 'in /features/region: /counts/a'],
    ['others', { rows: 1, features: region({ a: 1 }, { others: 1e300 }) }, 'in /features/region: /others'],
  ])('has a bound for %s', (_name, file, place) => {
    expect(read(file)).toThrow(place);
    expect(read(file)).toThrow('1000000000000');
  });

  test('a p-value that is no number does not hide the drift of other columns', () => {
    const { columns } = listColumns(manifest, {
      rows: 1_000,
      features: { ...x(repeat(1_000, (k) => k)), ...region({ a: 1e308, b: 1e308 }) },
    });
    const values = Float64Array.from(repeat(400, (k) => (k % 2 === 0 ? 5_000 : 0)));
    const report = runAtOnce(
      compareWithReference(columns, { rows: 200, values }, { referenceRows: 1_000, threshold: 0.05 }),
    );
    expect(report.columns).toMatchObject([{ name: 'x', drifted: ['values'] }]);
    expect(report.incomparable).toMatchObject([{ name: 'region' }]);
    const [column] = columns;
    if (column === undefined) throw new Error('there is no column');
    const shifted = {
      ...reportOn(
        repeat(1_000, (k) => k),
        repeat(200, () => 5_000),
      ),
      missingPValue: Number.NaN,
    };
    expect(judge([{ column, report: shifted }], 0.05).columns).toMatchObject([
      { name: 'x', drifted: ['values'], missingPValue: undefined },
    ]);
  });
});
