import { describe, expect, test } from 'vitest';
import { toQuality } from '../../../src/monitoring/feedback/quality-report.js';
import { findDecline } from '../../../src/monitoring/feedback/training-figures.js';

/** A version that was right `right` times of `count`. */
const classes = (right: number, count: number) =>
  toQuality({ kind: 'classes', classes: [0, 1] }, { n: count, 'c[1,1]': right, 'c[1,0]': count - right });
const numbers = (count: number, mae: number, rmse: number, names?: readonly string[]) =>
  toQuality(
    { kind: 'numbers', names },
    Object.fromEntries([
      ['n', count],
      ...(names ?? ['']).flatMap((_, k) => [
        [`abs${k}`, mae * count],
        [`sq${k}`, rmse * rmse * count],
      ]),
    ]),
  );

describe('live quality against the figures of the training', () => {
  // scipy 1.17: binomtest(78, 100).proportion_ci(method='wilson') ends at 0.84998, that of 70 at 0.78105.
  test.each([
    [78, 100, 0.849, false],
    [78, 100, 0.851, true],
    [70, 100, 0.781, false],
    [70, 100, 0.782, true],
    [0, 100, 0.87, true],
    [100, 100, 0.87, false],
  ])('an accuracy of %i of %i against %d', (right, count, trained, isWorse) => {
    const found = findDecline(classes(right, count), { roc_auc: 0.9, accuracy: trained });
    expect(found).toEqual(
      isWorse ? { figure: 'accuracy', live: right / count, trained, feedback: count } : undefined,
    );
  });

  test('few feedbacks, no training figure, and no figure of a usual name say nothing', () => {
    expect(findDecline(classes(0, 29), { accuracy: 0.9 })).toBeUndefined();
    expect(findDecline(classes(0, 30), { accuracy: 0.9 })).toBeDefined();
    expect(findDecline(classes(0, 1_000), {})).toBeUndefined();
    expect(findDecline(classes(0, 1_000), { roc_auc: 0.9, inaccuracy: 1 })).toBeUndefined();
  });

  test.each(['accuracy', 'Accuracy', 'test_accuracy', 'accuracy-score'])('the name %s is known', (name) => {
    expect(findDecline(classes(10, 100), { [name]: 0.9 })?.trained).toBe(0.9);
  });

  test('an error of a regression is worse beyond its interval', () => {
    // 100 errors: mae 50 and rmse 60 have the margins 1.96 sqrt(1100) / 10 = 6.5 and 1.96 * 60 / sqrt(200) = 8.3.
    const live = numbers(100, 50, 60);
    expect(findDecline(live, { mean_absolute_error: 43.6 })).toBeUndefined();
    expect(findDecline(live, { mean_absolute_error: 43.4 })).toEqual({
      figure: 'mae',
      live: 50,
      trained: 43.4,
      feedback: 100,
    });
    expect(findDecline(live, { RMSE: 51.8 })).toBeUndefined();
    expect(findDecline(live, { RMSE: 51.6 })?.figure).toBe('rmse');
    expect(findDecline(live, { r2: 0.99 })).toBeUndefined();
  });

  test('with several outputs no metric is compared, since it does not say which one it is about', () => {
    expect(findDecline(numbers(100, 50, 60, ['a', 'b']), { mae: 1 })).toBeUndefined();
  });
});
