import type { OutcomeShape } from './outcome-shape.js';
import { type Cells, maxConfusionClasses } from './quality-cells.js';
import { type ClassificationQuality, type RegressionQuality, ratio, toRegression } from './quality-report.js';

/** The quality in single numbers: it reads few cells, while the whole quality reads one for each pair of classes. */
export type QualityFigures =
  | Pick<ClassificationQuality, 'feedback' | 'accuracy' | 'brier_score'>
  | RegressionQuality;

/** The same figures as those of `toQuality`. */
export function toFigures(shape: OutcomeShape, cells: Cells): QualityFigures {
  if (shape.kind !== 'classes') return toRegression(shape.names, cells);
  const feedback = cells['n'] ?? 0;
  let hits = 0;
  for (const cell of listHits(shape, cells)) hits += cells[cell] ?? 0;
  return {
    feedback,
    accuracy: ratio(hits, feedback),
    brier_score: ratio(cells['brier'] ?? 0, cells['brier_n'] ?? 0),
  };
}

/** The cells that count predictions that were right. */
function listHits({ classes }: Extract<OutcomeShape, { kind: 'classes' }>, cells: Cells): readonly string[] {
  if (classes === undefined) return Object.keys(cells).filter((cell) => cell.startsWith('t'));
  const hasPairs = classes.length <= maxConfusionClasses;
  return classes.map((it) => (hasPairs ? `c${JSON.stringify([it, it])}` : `t${JSON.stringify(it)}`));
}
