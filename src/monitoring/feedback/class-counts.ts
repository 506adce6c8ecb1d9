import type { Scalar } from '../../models/tasks/task.js';
import type { Steps } from '../../time/slices.js';
import { maxOpenClasses, otherClass } from './open-classes.js';
import { type Cells, maxConfusionClasses, readClassCell } from './quality-cells.js';

export interface ClassCounts {
  /** How often the class happened, how often it was predicted, and how often both. */
  actual: number;
  predicted: number;
  both: number;
}

export const noCounts: Readonly<ClassCounts> = { actual: 0, predicted: 0, both: 0 };

const classesAStep = 64;

/** Counts by class, without classes that are in no cell. `matrix` has a row for each actual class, if pairs are counted. */
export function* countClasses(known: readonly Scalar[] | undefined, cells: Cells) {
  const counts = new Map<Scalar, ClassCounts>();
  const countsOf: CountsOf = (it) => {
    const count = counts.get(it) ?? { ...noCounts };
    counts.set(it, count);
    return count;
  };
  const hasPairs = known !== undefined && known.length <= maxConfusionClasses;
  const matrix = hasPairs ? known.map(() => known.map(() => 0)) : undefined;
  if (known === undefined) {
    yield* countOpen(cells, countsOf);
    foldRare(counts);
  } else if (matrix === undefined) yield* countSingly(known, cells, countsOf);
  else yield* countPairs(known, cells, countsOf, matrix);
  return { counts, matrix };
}

type CountsOf = (it: Scalar) => ClassCounts;

/** Names are written, since to read them from the cells takes ten times as long. */
function* countPairs(
  known: readonly Scalar[],
  cells: Cells,
  countsOf: CountsOf,
  matrix: number[][],
): Steps<void> {
  const names = known.map((it) => JSON.stringify(it));
  for (const [row, actual] of known.entries()) {
    for (const [column, predicted] of known.entries()) {
      const value = cells[`c[${names[row]},${names[column]}]`];
      if (value === undefined) continue;
      countsOf(actual).actual += value;
      countsOf(predicted).predicted += value;
      if (row === column) countsOf(actual).both += value;
      (matrix[row] as number[])[column] = value;
    }
    yield;
  }
}

function* countSingly(known: readonly Scalar[], cells: Cells, countsOf: CountsOf): Steps<void> {
  for (const [k, it] of known.entries()) {
    const name = JSON.stringify(it);
    const [actual, predicted, both] = ['a', 'p', 't'].map((kind) => cells[`${kind}${name}`]);
    if (actual !== undefined) countsOf(it).actual = actual;
    if (predicted !== undefined) countsOf(it).predicted = predicted;
    if (both !== undefined) countsOf(it).both = both;
    if (k % classesAStep === 0) yield;
  }
}

function* countOpen(cells: Cells, countsOf: CountsOf): Steps<void> {
  for (const [k, [cell, value]] of Object.entries(cells).entries()) {
    if (k % classesAStep === 0) yield;
    const read = readClassCell(cell);
    if (read?.kind === 'a') countsOf(read.class).actual += value;
    else if (read?.kind === 'p') countsOf(read.class).predicted += value;
    else if (read?.kind === 't') countsOf(read.class).both += value;
  }
}

/** Over several processes and parts of the window there may be more classes than one of them counts singly. */
function foldRare(counts: Map<Scalar, ClassCounts>): void {
  if (counts.size <= maxOpenClasses) return;
  const other = counts.get(otherClass) ?? { ...noCounts };
  counts.delete(otherClass);
  const total = ({ actual, predicted }: ClassCounts) => actual + predicted;
  const byCount = [...counts].sort(([, a], [, b]) => total(b) - total(a));
  for (const [it, { actual, predicted, both }] of byCount.slice(maxOpenClasses)) {
    other.actual += actual;
    other.predicted += predicted;
    other.both += both;
    counts.delete(it);
  }
  counts.set(otherClass, other);
}
