import type { Scalar } from '../../models/tasks/task.js';
import type { Actual, Outcome, OutcomeShape } from './outcome-shape.js';

/** Named sums. Those of several processes are added, cell by cell. */
export type Cells = Readonly<Record<string, number>>;

export interface VersionCells {
  readonly model: string;
  readonly version: string;
  readonly shape: OutcomeShape;
  readonly cells: Cells;
}

/** Pairs of classes are counted up to this number of classes; beyond it only each class. */
export const maxConfusionClasses = 64;
export const calibrationBins = 10;
/** Of probabilities that are none, such as raw scores. */
const maxBrier = 1e200;

/**
 * What one feedback adds. `n`: feedback. `c[actual,predicted]`: pairs of classes; with many classes `a`, `p` and `t`
 * count a class as it was, as predicted, and both. `brier` and `brier_n`: the squared error of the probabilities.
 * `bin<k>_n`, `_p`, `_y`: feedback, probabilities and hits of a bin of the calibration. `abs<k>`, `sq<k>`, `err<k>`:
 * absolute, squared and plain error of the number k.
 */
export function toCells(shape: OutcomeShape, { predicted, values }: Outcome, actual: Actual): Cells {
  const cells: Record<string, number> = { n: 1 };
  if (actual.kind === 'numbers') {
    for (const [k, value] of actual.values.entries()) {
      const error = (values[k] as number) - value;
      cells[`abs${k}`] = Math.abs(error);
      cells[`sq${k}`] = error * error;
      cells[`err${k}`] = error;
    }
    return cells;
  }
  const classes = shape.kind === 'classes' ? shape.classes : undefined;
  if (classes !== undefined && classes.length <= maxConfusionClasses) {
    cells[`c${JSON.stringify([actual.value, predicted])}`] = 1;
  } else {
    cells[`p${JSON.stringify(predicted)}`] = 1;
    cells[`a${JSON.stringify(actual.value)}`] = 1;
    if (actual.value === predicted) cells[`t${JSON.stringify(predicted)}`] = 1;
  }
  if (classes !== undefined && values.length === classes.length)
    addProbabilities(cells, classes, { predicted, values }, actual.value);
  return cells;
}

function addProbabilities(
  cells: Record<string, number>,
  classes: readonly Scalar[],
  { predicted, values }: Outcome,
  actual: Scalar,
): void {
  const isBinary = classes.length === 2;
  const brier = isBinary
    ? ((values[1] as number) - Number(classes[1] === actual)) ** 2
    : values.reduce((sum, value, k) => sum + (value - Number(classes[k] === actual)) ** 2, 0);
  if (!(brier <= maxBrier)) return;
  cells['brier_n'] = 1;
  cells['brier'] = brier;
  // Of two classes the second is calibrated, of more the one that was predicted.
  const shown = isBinary ? 1 : classes.indexOf(predicted as Scalar);
  const probability = values[shown] as number;
  const bin = binOf(probability);
  cells[`bin${bin}_n`] = 1;
  cells[`bin${bin}_p`] = probability;
  cells[`bin${bin}_y`] = Number(classes[shown] === actual);
}

export interface ClassCell {
  readonly kind: 'c' | 'a' | 'p' | 't';
  /** Of `c` the actual and the predicted class, of the others one. */
  readonly classes: readonly Scalar[];
}

/** Undefined for a cell that counts no class. */
export function readClassCell(cell: string): ClassCell | undefined {
  // The other cells have longer names, which are no JSON after their first letter.
  if (!/^[capt][[\d"tf-]/.test(cell)) return undefined;
  try {
    const about: unknown = JSON.parse(cell.slice(1));
    const kind = cell[0] as ClassCell['kind'];
    const classes = kind === 'c' ? about : [about];
    const isSound = Array.isArray(classes) && classes.every(isScalar);
    return isSound && classes.length === (kind === 'c' ? 2 : 1) ? { kind, classes } : undefined;
  } catch {
    return undefined;
  }
}

export function isScalar(value: unknown): value is Scalar {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

/** An edge belongs to the bin below it, as in `calibration_curve` of scikit-learn. */
function binOf(probability: number): number {
  let bin = 0;
  while (bin < calibrationBins - 1 && probability > (bin + 1) * 0.1) bin += 1;
  return bin;
}

export function addCells(sum: Record<string, number>, cells: Cells): void {
  for (const [name, value] of Object.entries(cells)) sum[name] = (sum[name] ?? 0) + value;
}

/** The sums of several processes together. */
export function mergeCells(parts: readonly (readonly VersionCells[])[]): readonly VersionCells[] {
  const merged = new Map<string, VersionCells & { readonly cells: Record<string, number> }>();
  for (const { model, version, shape, cells } of parts.flat()) {
    const name = `${model}/${version}`;
    const into = merged.get(name) ?? { model, version, shape, cells: {} };
    addCells(into.cells, cells);
    merged.set(name, into);
  }
  return [...merged.values()];
}
