import { type Figure, findTrainingMetric } from '../quality-families.js';
import type { QualityFigures } from './quality-figures.js';

/** A live figure that is worse than the one of the training by more than chance. */
export interface QualityDecline {
  readonly figure: Figure;
  readonly live: number;
  readonly trained: number;
  readonly feedback: number;
}

/** With fewer feedbacks the approximations below do not hold. */
const minFeedback = 30;
/** The two-sided 95 % quantile of the normal distribution. */
const z = 1.96;

/**
 * Compares live quality with the metrics of the manifest. Returns the first figure that is worse by more than chance:
 * the whole 95 % interval of the live figure is on the wrong side of the training figure. For an accuracy the interval
 * is that of Wilson (1927); for errors it is the normal one with the standard error `rmse / sqrt(2 n)` of normal errors
 * (`mae`: with `rmse² - mae²` as the variance). Undefined if there is no such figure, below 30 feedbacks, and with
 * several outputs, since the manifest does not say which one a metric is about.
 */
export function findDecline(
  quality: QualityFigures,
  metrics: Readonly<Record<string, number>>,
): QualityDecline | undefined {
  const { feedback } = quality;
  if (feedback < minFeedback) return undefined;
  if (!('outputs' in quality)) {
    const trained = findTrainingMetric(metrics, 'accuracy');
    const live = quality.accuracy;
    if (trained === undefined || live === null || wilsonUpper(live, feedback) >= trained) return undefined;
    return { figure: 'accuracy', live, trained, feedback };
  }
  const [output, ...others] = quality.outputs;
  if (output === undefined || others.length > 0) return undefined;
  const { mae, rmse } = output;
  if (mae === null || rmse === null) return undefined;
  const margins = {
    mae: z * Math.sqrt(Math.max(0, rmse * rmse - mae * mae) / feedback),
    rmse: (z * rmse) / Math.sqrt(2 * feedback),
  };
  for (const figure of ['mae', 'rmse'] as const) {
    const trained = findTrainingMetric(metrics, figure);
    const live = output[figure] as number;
    if (trained !== undefined && live - margins[figure] > trained) return { figure, live, trained, feedback };
  }
  return undefined;
}

/** The upper end of Wilson's interval for a share of `count` trials. */
function wilsonUpper(share: number, count: number): number {
  const square = (z * z) / count;
  const middle = share + square / 2;
  const half = z * Math.sqrt((share * (1 - share)) / count + square / (4 * count));
  return (middle + half) / (1 + square);
}
