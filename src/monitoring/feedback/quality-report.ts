import type { Scalar } from '../../models/tasks/task.js';
import { maxOpenClasses, otherClass } from './open-classes.js';
import type { OutcomeShape } from './outcome-shape.js';
import { type Cells, calibrationBins, maxConfusionClasses, readClassCell } from './quality-cells.js';

export interface ClassQuality {
  readonly class: Scalar;
  /** How often the class happened, and how often it was predicted. */
  readonly actual: number;
  readonly predicted: number;
  /** Null: the class was never predicted. */
  readonly precision: number | null;
  /** Null: the class never happened. */
  readonly recall: number | null;
  readonly f1: number;
}

export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Means; null if the bin is empty. */
  readonly predicted: number | null;
  readonly observed: number | null;
}

export interface ClassificationQuality {
  readonly feedback: number;
  readonly accuracy: number | null;
  /** Means over the classes that happened or were predicted; an undefined precision or recall counts as 0. */
  readonly macro: { readonly precision: number; readonly recall: number; readonly f1: number } | null;
  readonly classes: readonly ClassQuality[];
  readonly brier_score: number | null;
  /** `of`: the class, or `predicted` if there are more than two. */
  readonly calibration: { readonly of: Scalar; readonly bins: readonly CalibrationBin[] } | null;
  /** A row for each actual class, a column for each predicted one. Null with more than 64 classes. */
  readonly confusion: {
    readonly classes: readonly Scalar[];
    readonly counts: readonly (readonly number[])[];
  } | null;
}

export interface RegressionQuality {
  readonly feedback: number;
  /** `output` is left out if there is one number. `bias` is the mean of predicted minus actual. */
  readonly outputs: readonly {
    readonly output?: string;
    readonly mae: number | null;
    readonly rmse: number | null;
    readonly bias: number | null;
  }[];
}

export type Quality = ClassificationQuality | RegressionQuality;

interface Counts {
  actual: number;
  predicted: number;
  both: number;
}

/** Definitions as in scikit-learn: `precision_recall_fscore_support`, `brier_score_loss`, `calibration_curve`. */
export function toQuality(shape: OutcomeShape, cells: Cells): Quality {
  return shape.kind === 'classes' ? toClassification(shape.classes, cells) : toRegression(shape.names, cells);
}

function toRegression(names: readonly string[] | undefined, cells: Cells): RegressionQuality {
  const feedback = cells['n'] ?? 0;
  const mean = (cell: string) => ratio(cells[cell] ?? 0, feedback);
  const outputs = (names ?? [undefined]).map((output, k) => {
    const square = mean(`sq${k}`);
    const rmse = square === null || square < 0 ? null : Math.sqrt(square);
    return { ...(output !== undefined && { output }), mae: mean(`abs${k}`), rmse, bias: mean(`err${k}`) };
  });
  return { feedback, outputs };
}

function toClassification(known: readonly Scalar[] | undefined, cells: Cells): ClassificationQuality {
  const counts = new Map<Scalar, Counts>();
  const countsOf = (it: Scalar) => {
    const count = counts.get(it) ?? { actual: 0, predicted: 0, both: 0 };
    counts.set(it, count);
    return count;
  };
  const hasPairs = known !== undefined && known.length <= maxConfusionClasses;
  const matrix = hasPairs ? known.map(() => known.map(() => 0)) : undefined;
  for (const [cell, value] of Object.entries(cells)) {
    const read = readClassCell(cell);
    if (read === undefined) continue;
    const [first, second] = read.classes as [Scalar, Scalar];
    if (read.kind === 'c') {
      countsOf(first).actual += value;
      countsOf(second).predicted += value;
      if (first === second) countsOf(first).both += value;
      const column = known?.indexOf(second) ?? -1;
      const row = matrix?.[known?.indexOf(first) ?? -1];
      if (row !== undefined && column >= 0) row[column] = value;
    } else if (read.kind === 'a') countsOf(first).actual += value;
    else if (read.kind === 'p') countsOf(first).predicted += value;
    else countsOf(first).both += value;
  }
  if (known === undefined) foldRare(counts);
  const feedback = cells['n'] ?? 0;
  const order = known?.filter((it) => counts.has(it)) ?? [...counts.keys()].sort();
  const classes = order.map((it) => toClassQuality(it, countsOf(it)));
  const meanOf = (get: (it: ClassQuality) => number | null) =>
    classes.reduce((sum, it) => sum + (get(it) ?? 0), 0) / classes.length;
  return {
    feedback,
    accuracy: ratio(
      order.reduce<number>((sum, it) => sum + countsOf(it).both, 0),
      feedback,
    ),
    macro:
      classes.length === 0
        ? null
        : {
            precision: meanOf(({ precision }) => precision),
            recall: meanOf(({ recall }) => recall),
            f1: meanOf(({ f1 }) => f1),
          },
    classes,
    brier_score: ratio(cells['brier'] ?? 0, cells['brier_n'] ?? 0),
    calibration: toCalibration(known, cells),
    confusion: known !== undefined && matrix !== undefined ? { classes: known, counts: matrix } : null,
  };
}

/** Over several processes and parts of the window there may be more classes than one of them counts singly. */
function foldRare(counts: Map<Scalar, Counts>): void {
  if (counts.size <= maxOpenClasses) return;
  const other = counts.get(otherClass) ?? { actual: 0, predicted: 0, both: 0 };
  counts.delete(otherClass);
  const total = ({ actual, predicted }: Counts) => actual + predicted;
  const byCount = [...counts].sort(([, a], [, b]) => total(b) - total(a));
  for (const [it, { actual, predicted, both }] of byCount.slice(maxOpenClasses)) {
    other.actual += actual;
    other.predicted += predicted;
    other.both += both;
    counts.delete(it);
  }
  counts.set(otherClass, other);
}

function toClassQuality(
  it: Scalar,
  { actual, predicted, both }: { actual: number; predicted: number; both: number },
): ClassQuality {
  return {
    class: it,
    actual,
    predicted,
    precision: ratio(both, predicted),
    recall: ratio(both, actual),
    f1: ratio(2 * both, actual + predicted) ?? 0,
  };
}

function toCalibration(known: readonly Scalar[] | undefined, cells: Cells) {
  if (known === undefined || (cells['brier_n'] ?? 0) === 0) return null;
  const bins = Array.from({ length: calibrationBins }, (_, k) => {
    const count = cells[`bin${k}_n`] ?? 0;
    return {
      from: k / calibrationBins,
      to: (k + 1) / calibrationBins,
      count,
      predicted: ratio(cells[`bin${k}_p`] ?? 0, count),
      observed: ratio(cells[`bin${k}_y`] ?? 0, count),
    };
  });
  return { of: known.length === 2 ? (known[1] as Scalar) : 'predicted', bins };
}

/** Null if there is no finite one. */
function ratio(part: number, whole: number): number | null {
  const value = part / whole;
  return Number.isFinite(value) ? value : null;
}
