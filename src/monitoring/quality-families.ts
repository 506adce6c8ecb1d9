import type { Family, Gauge, Metrics } from './metrics.js';

export type Figure = 'accuracy' | 'mae' | 'rmse';

/** The names of a manifest's metrics are free: these are usual ones, without case, `_` and `-`. */
const names = {
  accuracy: ['accuracy', 'accuracyscore', 'testaccuracy'],
  mae: ['mae', 'meanabsoluteerror', 'testmae'],
  rmse: ['rmse', 'rootmeansquarederror', 'testrmse'],
} as const satisfies Readonly<Record<Figure, readonly string[]>>;

/** The metric of a manifest that means a figure of the live quality, whatever its author called it. */
export function findTrainingMetric(
  metrics: Readonly<Record<string, number>>,
  figure: Figure,
): number | undefined {
  const usual: readonly string[] = names[figure];
  return Object.entries(metrics).find(([name]) =>
    usual.includes(name.toLowerCase().replace(/[_-]/g, '')),
  )?.[1];
}

/** The figures that both the training and the feedback have. The label `source` is `manifest` or `live`. */
export function createQualityFamilies(metrics: Metrics): Readonly<Record<Figure, Family<Gauge>>> {
  const origin = 'the label source names the origin of the figure';
  return {
    accuracy: metrics.gauge('model_accuracy', `A version's accuracy; ${origin}`),
    mae: metrics.gauge('model_mae', `A version's mean absolute error; ${origin}`),
    rmse: metrics.gauge('model_rmse', `A version's root mean squared error; ${origin}`),
  };
}
