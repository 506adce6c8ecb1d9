import type { Scalar } from '../../models/tasks/task.js';
import type { Steps } from '../../time/slices.js';
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
  readonly kind: 'a' | 'p' | 't';
  readonly class: Scalar;
}

/** Undefined for a cell that counts no single class. */
export function readClassCell(cell: string): ClassCell | undefined {
  // The other cells have longer names, which are no JSON after their first letter.
  if (!/^[apt][\d"tf-]/.test(cell)) return undefined;
  try {
    const about: unknown = JSON.parse(cell.slice(1));
    return isScalar(about) ? { kind: cell[0] as ClassCell['kind'], class: about } : undefined;
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

/** Sums that grow. A map, since an object with thousands of members takes ten times as long. */
export interface VersionSums extends Omit<VersionCells, 'cells'> {
  readonly cells: Map<string, number>;
}

/** By `nameOf`. */
export type SumsByVersion = Map<string, VersionSums>;

export function nameOf({ model, version }: Pick<VersionCells, 'model' | 'version'>): string {
  return `${model}/${version}`;
}

/** The sums of a version, which begin empty. */
export function sumsOf(all: SumsByVersion, { model, version, shape }: Omit<VersionCells, 'cells'>) {
  const name = nameOf({ model, version });
  const sums = all.get(name) ?? { model, version, shape, cells: new Map<string, number>() };
  all.set(name, sums);
  return sums.cells;
}

export function addCells(sums: Map<string, number>, cells: Cells): void {
  for (const [cell, value] of Object.entries(cells)) sums.set(cell, (sums.get(cell) ?? 0) + value);
}

/** Cells in one step: some tens of microseconds. */
const cellsAStep = 256;

/** Adds to `all`. The parts must not change meanwhile. */
export function* addVersions(all: SumsByVersion, parts: Iterable<VersionSums>): Steps<void> {
  let count = 0;
  for (const part of parts) {
    const sums = sumsOf(all, part);
    for (const [cell, value] of part.cells) {
      sums.set(cell, (sums.get(cell) ?? 0) + value);
      count += 1;
      if (count % cellsAStep === 0) yield;
    }
  }
}

export function* toVersionCells(all: SumsByVersion): Steps<readonly VersionCells[]> {
  const versions: VersionCells[] = [];
  let count = 0;
  for (const { model, version, shape, cells } of all.values()) {
    const own: Record<string, number> = {};
    for (const [cell, value] of cells) {
      own[cell] = value;
      count += 1;
      if (count % cellsAStep === 0) yield;
    }
    versions.push({ model, version, shape, cells: own });
  }
  return versions;
}

/** The sums of several processes together. */
export function* mergeCells(parts: readonly (readonly VersionCells[])[]): Steps<readonly VersionCells[]> {
  const merged: SumsByVersion = new Map();
  for (const part of parts.flat()) {
    addCells(sumsOf(merged, part), part.cells);
    yield;
  }
  return yield* toVersionCells(merged);
}
