import type { Counter, Labels, Metrics } from '../metrics.js';
import { createQualityFamilies } from '../quality-families.js';
import type { FeedbackResult } from './feedback-store.js';
import type { VersionCells } from './quality-cells.js';
import { toFigures } from './quality-figures.js';

/** Counts feedback. The label `model` is `unknown` if its prediction is not known. */
export function createFeedbackCounts(metrics: Metrics): (results: readonly FeedbackResult[]) => void {
  const family = metrics.counter('feedback_total', 'Feedback, by model and result');
  const known = new Map<string, Counter>();
  return (results) => {
    for (const { model = 'unknown', result } of results) {
      const name = `${result} ${model}`;
      const counter = known.get(name) ?? family.series({ model, result });
      known.set(name, counter);
      counter.add(1);
    }
  };
}

/** Shows the live quality of versions; those without feedback in the window have no series. */
export function createQualityGauges(metrics: Metrics): (all: readonly VersionCells[]) => void {
  const gauges = {
    ...createQualityFamilies(metrics),
    brier: metrics.gauge('model_brier_score', 'The Brier score of the predictions that got feedback'),
    rows: metrics.gauge(
      'model_feedback_rows',
      'The feedback of the window that the live quality is measured on',
    ),
  };
  let shown: { readonly gauge: keyof typeof gauges; readonly labels: Labels }[] = [];
  const show = (gauge: keyof typeof gauges, labels: Labels, value: number | null) => {
    if (value === null || !Number.isFinite(value)) return;
    gauges[gauge].series(labels).set(value);
    shown.push({ gauge, labels });
  };
  return (all) => {
    for (const { gauge, labels } of shown) gauges[gauge].remove(labels);
    shown = [];
    for (const { model, version, shape, cells } of all) {
      const labels = { model, model_version: version };
      const quality = toFigures(shape, cells);
      show('rows', labels, quality.feedback);
      if ('outputs' in quality) {
        for (const { output, mae, rmse } of quality.outputs) {
          const about = { ...labels, ...(output !== undefined && { output }), source: 'live' };
          show('mae', about, mae);
          show('rmse', about, rmse);
        }
      } else {
        show('accuracy', { ...labels, source: 'live' }, quality.accuracy);
        show('brier', labels, quality.brier_score);
      }
    }
  };
}
