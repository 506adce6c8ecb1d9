import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../../src/models/manifest/manifest.js';
import { listColumns } from '../../../src/monitoring/drift/drift-column.js';
import { DriftComparisons, type DriftSubject } from '../../../src/monitoring/drift/drift-findings.js';
import {
  answerQuestion,
  type DriftSource,
  readAll,
  readOwn,
} from '../../../src/monitoring/drift/drift-source.js';
import { DriftWindow } from '../../../src/monitoring/drift/drift-window.js';

const width = 256;
const features = Array.from({ length: width }, (_unused, k) => ({ name: `f${k}`, type: 'number' as const }));
const manifest: Manifest = { name: 'm', version: '1', task: 'classification', sha256: {}, features };
const sample = Array.from({ length: 2_000 }, (_unused, k) => k / 2_000);
const reference = {
  rows: 10_000,
  features: Object.fromEntries(features.map(({ name }) => [name, { missing: 0, sample }])),
};
const { columns } = listColumns(manifest, reference);
const answer = { value: { prediction: 1 }, fieldsJson: '' };
const limits = { rows: 10_000, threshold: 0.05 };

function createWindow(rows: number, shift = 0, limit = limits.rows) {
  const window = new DriftWindow(columns, { rows: limit, ms: 86_400_000 });
  addRows(window, rows, shift);
  return window;
}
function addRows(window: DriftWindow, rows: number, shift = 0) {
  const now = Date.now();
  for (let k = 0; k < rows; k += 1) {
    const value = ((k * 37) % 1_000) / 1_000 + shift;
    window.observe(Object.fromEntries(features.map(({ name }) => [name, value])), answer, now);
  }
}
const subjectOf = (source: DriftSource): DriftSubject => ({ columns, source, referenceRows: 10_000 });
/** Counts the reads of values. */
function counted(source: DriftSource) {
  const calls = { reads: 0 };
  const read: DriftSource['read'] = (...about) => {
    calls.reads += 1;
    return source.read(...about);
  };
  return { calls, source: { ...source, read } };
}

describe('comparisons', () => {
  test('of the same version at the same time are one, and its result serves those that follow', async () => {
    const window = createWindow(400);
    const { calls, source } = counted(readOwn(window));
    const comparisons = new DriftComparisons(limits);
    const ask = () => comparisons.findingsOf(manifest, subjectOf(source));
    const findings = await Promise.all(Array.from({ length: 50 }, ask));
    expect(calls.reads).toBe(width);
    expect(new Set(findings).size).toBe(1);
    await ask();
    expect(calls.reads).toBe(width);
    // A tenth more rows.
    addRows(window, 50);
    expect((await ask()).extent?.rows).toBe(450);
    expect(calls.reads).toBe(2 * width);
  });

  test('with a few new rows is made again after ten times as long as it took', async () => {
    const window = createWindow(400);
    const { calls, source } = counted(readOwn(window));
    const comparisons = new DriftComparisons(limits);
    const started = performance.now();
    await comparisons.findingsOf(manifest, subjectOf(source));
    const took = performance.now() - started;
    addRows(window, 1);
    await comparisons.findingsOf(manifest, subjectOf(source));
    expect(calls.reads).toBe(width);
    await setTimeout(11 * took);
    expect((await comparisons.findingsOf(manifest, subjectOf(source))).extent?.rows).toBe(401);
    expect(calls.reads).toBe(2 * width);
  });

  test('of several versions follow each other, and one that fails does not hold up the others', async () => {
    const comparisons = new DriftComparisons(limits);
    let reading = 0;
    const source = readOwn(createWindow(200));
    const alone: DriftSource = {
      ...source,
      async read(...about) {
        reading += 1;
        expect(reading).toBe(1);
        await setTimeout(0);
        reading -= 1;
        return source.read(...about);
      },
    };
    const broken = { ...source, read: () => Promise.reject(new Error('broken')) };
    const asked = [
      comparisons.findingsOf({}, subjectOf(broken)),
      ...[1, 2, 3].map(() => comparisons.findingsOf({}, subjectOf(alone))),
    ];
    const results = await Promise.allSettled(asked);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  });

  test('leave the thread to others, however many are asked for', async () => {
    const window = createWindow(10_000);
    const comparisons = new DriftComparisons(limits);
    let [longest, last] = [0, performance.now()];
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await Promise.all(
      Array.from({ length: 20 }, () => comparisons.findingsOf(manifest, subjectOf(readOwn(window)))),
    );
    clearInterval(timer);
    // About 4 ms where the machine is not busy; all of them at once take 8 seconds.
    expect(longest).toBeLessThan(250);
  });
});

describe('the rows of several workers', () => {
  const workersOf = (...windows: readonly (DriftWindow | undefined)[]) => {
    const sizes: number[] = [];
    const asked: number[] = [];
    const asks = windows.map((window, k) => (question: string, without: readonly number[]) => {
      if (without.includes(k + 1)) return undefined;
      asked.push(k + 1);
      if (window === undefined) return undefined;
      const text = answerQuestion(question, () => window, Date.now());
      sizes.push(text.length);
      return text;
    });
    const ask = async (question: string, without: readonly number[]) => {
      const answers = asks.map((it) => it(question, without));
      return {
        parts: answers.filter((it) => it !== undefined),
        missing: [...answers.keys()].filter((k) => answers[k] === undefined).map((k) => k + 1),
      };
    };
    return { sizes, asked, source: readAll('m@1', ask) };
  };

  test('count by their share, and come in small pieces', async () => {
    const [calm, shifted] = [createWindow(30_000, 0, 4_000), createWindow(10_000, 5, 4_000)];
    const { sizes, source } = workersOf(calm, shifted);
    const { extent, report, missing } = await new DriftComparisons({
      ...limits,
      rows: 4_000,
    }).findingsOf({}, subjectOf(source));
    expect([extent?.rows, extent?.seen, missing]).toEqual([4_000, 40_000, 0]);
    expect(report?.columns).toHaveLength(width);
    for (const { statistic } of report?.columns ?? []) expect(statistic).toBeCloseTo(0.25, 1);
    // 256 columns of 4,000 rows are 8 MB.
    expect(Math.max(...sizes)).toBeLessThan(700_000);
    expect(sizes.reduce((sum, it) => sum + it, 0)).toBeGreaterThan(8_000_000);
  });

  test('are compared without those of a worker that does not answer, which is said', async () => {
    const { source, asked } = workersOf(createWindow(200), undefined);
    const { extent, report, missing } = await new DriftComparisons(limits).findingsOf({}, subjectOf(source));
    expect([extent?.rows, report?.columns.length, missing]).toEqual([200, width, 1]);
    // Each further question would wait for it again.
    expect(asked.filter((it) => it === 2)).toHaveLength(1);
    const silent = workersOf(undefined, undefined);
    expect(await new DriftComparisons(limits).findingsOf({}, subjectOf(silent.source))).toEqual({
      extent: undefined,
      report: undefined,
      missing: 2,
    });
  });

  test('that come from fewer workers than were counted are too few to compare, not a drift', async () => {
    const { source } = workersOf(createWindow(200));
    const gone: DriftSource = {
      ...source,
      read: async (from, to) => ({
        columns: Array.from({ length: to - from }, () => new Float64Array()),
        missing: [1],
      }),
    };
    const { report, missing } = await new DriftComparisons(limits).findingsOf({}, subjectOf(gone));
    expect([report?.columns.length, report?.incomparable.length, missing]).toEqual([0, width, 1]);
  });
});
