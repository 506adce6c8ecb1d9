import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Scalar } from '../../../src/models/tasks/task.js';
import { createQualityGauges } from '../../../src/monitoring/feedback/feedback-metrics.js';
import type { Actual, OutcomeShape } from '../../../src/monitoring/feedback/outcome-shape.js';
import { mergeCells, toCells, type VersionCells } from '../../../src/monitoring/feedback/quality-cells.js';
import {
  type ClassificationQuality,
  type RegressionQuality,
  toQuality,
} from '../../../src/monitoring/feedback/quality-report.js';
import { createMetrics } from '../../../src/monitoring/metrics.js';
import { runAtOnce } from '../../../src/time/slices.js';

// Made by training/quality_cases.py with scikit-learn.
interface Table {
  readonly classification: readonly {
    readonly classes: readonly Scalar[];
    readonly rows: readonly (readonly [
      actual: Scalar,
      predicted: Scalar,
      probabilities: readonly number[],
    ])[];
    readonly expected: {
      readonly accuracy: number;
      readonly precision: Readonly<Record<string, number>>;
      readonly recall: Readonly<Record<string, number>>;
      readonly macro: readonly number[];
      readonly brier: number;
      readonly observed: readonly number[];
      readonly predicted: readonly number[];
      readonly confusion: readonly (readonly number[])[];
    };
  }[];
  readonly regression: readonly {
    readonly rows: readonly (readonly [actual: number, predicted: number])[];
    readonly expected: { readonly mae: number; readonly rmse: number; readonly bias: number };
  }[];
}

const table = JSON.parse(readFileSync('test/monitoring/feedback/sklearn-quality.json', 'utf8')) as Table;

/** The rows as the sums of three processes, put together. */
function summarize(
  shape: OutcomeShape,
  rows: readonly { outcome: Parameters<typeof toCells>[1]; actual: Actual }[],
) {
  const parts: VersionCells[][] = [[], [], []];
  for (const [k, { outcome, actual }] of rows.entries())
    parts[k % 3]?.push({ model: 'm', version: '1', shape, cells: toCells(shape, outcome, actual) });
  const [merged] = runAtOnce(mergeCells(parts));
  return toQuality(shape, merged?.cells ?? {});
}

describe('the live quality', () => {
  test.each(table.classification)(
    'of a classification ($classes) is that of scikit-learn',
    ({ classes, rows, expected }) => {
      const quality = summarize(
        { kind: 'classes', classes },
        rows.map(([value, predicted, values]) => ({
          outcome: { predicted, values },
          actual: { kind: 'class', value } as const,
        })),
      ) as ClassificationQuality;
      expect(quality.feedback).toBe(rows.length);
      expect(quality.accuracy).toBeCloseTo(expected.accuracy, 12);
      expect(quality.classes).toHaveLength(Object.keys(expected.precision).length);
      const spelled = (it: Scalar) => (typeof it === 'boolean' ? (it ? 'True' : 'False') : String(it));
      for (const it of quality.classes) {
        expect(it.precision ?? 0).toBeCloseTo(expected.precision[spelled(it.class)] as number, 12);
        expect(it.recall ?? 0).toBeCloseTo(expected.recall[spelled(it.class)] as number, 12);
      }
      const { precision = -1, recall = -1, f1 = -1 } = quality.macro ?? {};
      for (const [k, value] of [precision, recall, f1].entries())
        expect(value).toBeCloseTo(expected.macro[k] as number, 12);
      expect(quality.brier_score).toBeCloseTo(expected.brier, 12);
      const bins = quality.calibration?.bins.filter(({ count }) => count > 0) ?? [];
      expect(bins).toHaveLength(expected.observed.length);
      for (const [k, bin] of bins.entries()) {
        expect(bin.observed).toBeCloseTo(expected.observed[k] as number, 12);
        expect(bin.predicted).toBeCloseTo(expected.predicted[k] as number, 12);
      }
      expect(quality.confusion).toEqual({ classes, counts: expected.confusion });
    },
  );

  test.each(table.regression)(
    'of a regression ($expected.mae) is that of scikit-learn',
    ({ rows, expected }) => {
      const quality = summarize(
        { kind: 'numbers' },
        rows.map(([actual, predicted]) => ({
          outcome: { values: [predicted] },
          actual: { kind: 'numbers', values: [actual] } as const,
        })),
      ) as RegressionQuality;
      const [output] = quality.outputs;
      for (const name of ['mae', 'rmse', 'bias'] as const)
        expect((output?.[name] ?? Number.NaN) / expected[name]).toBeCloseTo(1, 9);
    },
  );

  test('of many classes has no confusion, and the same figures of each class', () => {
    const classes = Array.from({ length: 65 }, (_, k) => `c${k}`);
    const rows = classes.map((value, k) => ({
      outcome: { predicted: k === 1 ? 'c0' : value, values: [] },
      actual: { kind: 'class', value } as const,
    }));
    const quality = summarize({ kind: 'classes', classes }, rows) as ClassificationQuality;
    expect([quality.confusion, quality.brier_score, quality.calibration]).toEqual([null, null, null]);
    expect(quality.accuracy).toBe(64 / 65);
    expect(quality.classes.slice(0, 2)).toEqual([
      { class: 'c0', actual: 1, predicted: 2, precision: 0.5, recall: 1, f1: 2 / 3 },
      { class: 'c1', actual: 1, predicted: 0, precision: null, recall: 0, f1: 0 },
    ]);
  });

  test('skips cells that are none, and has no figure of a sum that is not finite', () => {
    const classes = ['a', 'b'];
    const cells = {
      n: 2,
      'c["a","a"]': 1,
      'c["a"': 9,
      'c["a"]': 9,
      'c[[1],2]': 9,
      'a{"x":1}': 9,
      'p[1]': 9,
      tx: 9,
    };
    expect(toQuality({ kind: 'classes', classes }, cells)).toMatchObject({
      accuracy: 0.5,
      confusion: {
        counts: [
          [1, 0],
          [0, 0],
        ],
      },
    });
    const infinite = {
      n: 1,
      abs0: Number.POSITIVE_INFINITY,
      sq0: Number.POSITIVE_INFINITY,
      err0: Number.NaN,
    };
    for (const sums of [infinite, { n: 1, abs0: -1, sq0: -1, err0: 0 }])
      expect(toQuality({ kind: 'numbers' }, sums)).toMatchObject({ outputs: [{ rmse: null }] });
    const metrics = createMetrics({ includesProcess: false });
    createQualityGauges(metrics)([{ model: 'm', version: '1', shape: { kind: 'numbers' }, cells: infinite }]);
    return expect(metrics.text()).resolves.not.toMatch(/Inf|NaN|model_rmse\{/);
  });

  test('sums of scores that are no probabilities stay finite', () => {
    const shape = { kind: 'classes', classes: ['a', 'b', 'c'] } as const;
    const outcome = { predicted: 'a', values: [1e300, 0, 0] };
    const cells = toCells(shape, outcome, { kind: 'class', value: 'a' });
    expect(cells).toEqual({ n: 1, 'c["a","a"]': 1 });
  });

  test('without feedback has no figure, rather than 0', () => {
    expect(toQuality({ kind: 'numbers', names: ['a', 'b'] }, {})).toEqual({
      feedback: 0,
      outputs: [
        { output: 'a', mae: null, rmse: null, bias: null },
        { output: 'b', mae: null, rmse: null, bias: null },
      ],
    });
    expect(toQuality({ kind: 'classes' }, {})).toMatchObject({
      accuracy: null,
      macro: null,
      brier_score: null,
    });
  });
});
