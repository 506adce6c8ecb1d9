import type { Scalar } from '../../models/tasks/task.js';
import { runAtOnce, type Steps } from '../../time/slices.js';
import { type ClassCounts, countClasses, noCounts } from './class-counts.js';
import type { OutcomeShape } from './outcome-shape.js';
import { type Cells, calibrationBins } from './quality-cells.js';

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

/** Definitions as in scikit-learn: `precision_recall_fscore_support`, `brier_score_loss`, `calibration_curve`. */
export function toQuality(shape: OutcomeShape, cells: Cells): Quality {
  return runAtOnce(toQualityInSteps(shape, cells));
}

/** `toQuality` for a thread that has other work: many classes take tens of milliseconds. */
export function* toQualityInSteps(shape: OutcomeShape, cells: Cells): Steps<Quality> {
  return shape.kind === 'classes'
    ? yield* toClassification(shape.classes, cells)
    : toRegression(shape.names, cells);
}

export function toRegression(names: readonly string[] | undefined, cells: Cells): RegressionQuality {
  const feedback = cells['n'] ?? 0;
  const mean = (cell: string) => ratio(cells[cell] ?? 0, feedback);
  const outputs = (names ?? [undefined]).map((output, k) => {
    const square = mean(`sq${k}`);
    const rmse = square === null || square < 0 ? null : Math.sqrt(square);
    return { ...(output !== undefined && { output }), mae: mean(`abs${k}`), rmse, bias: mean(`err${k}`) };
  });
  return { feedback, outputs };
}

function* toClassification(known: readonly Scalar[] | undefined, cells: Cells): Steps<ClassificationQuality> {
  const { counts, matrix } = yield* countClasses(known, cells);
  const feedback = cells['n'] ?? 0;
  const order = known?.filter((it) => counts.has(it)) ?? [...counts.keys()].sort();
  const classes = order.map((it) => toClassQuality(it, counts.get(it) ?? noCounts));
  const meanOf = (get: (it: ClassQuality) => number | null) =>
    classes.reduce((sum, it) => sum + (get(it) ?? 0), 0) / classes.length;
  return {
    feedback,
    accuracy: ratio(
      [...counts.values()].reduce((sum, { both }) => sum + both, 0),
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

function toClassQuality(it: Scalar, { actual, predicted, both }: ClassCounts): ClassQuality {
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
export function ratio(part: number, whole: number): number | null {
  const value = part / whole;
  return Number.isFinite(value) ? value : null;
}
