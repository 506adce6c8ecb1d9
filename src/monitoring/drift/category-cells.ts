/** A cell has at least so many expected rows in the smaller sample. */
const minExpected = 5;

export interface CategoryCells {
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

/**
 * The cells of a test of homogeneity. `reference` and `current` count the values of each category in `names`, and last
 * those of none of them, which are a cell of their own, however few are expected. The others are chosen so that samples
 * of one distribution seldom differ by the choice itself:
 *
 * - A category that one row of the reference has could as well have none. A share of new values up to that of such rows
 *   is no change (I. J. Good, Biometrika 40, 1953): so many of these rows count as new ones.
 * - If the reference names only its most frequent categories (its last count is above 0), chance decides which of the
 *   rarest ones it names: some of their rows count as unnamed, too.
 * - Categories near the count from which they are named are one cell, since the reference has too many rows of them.
 * - Others with too few rows are joined by name: an order by their counts would favour one sample.
 */
export function formCells(
  names: readonly string[],
  reference: readonly number[],
  current: readonly number[],
): CategoryCells {
  const last = names.length;
  const [sumOfReference, sumOfCurrent] = [sum(reference), sum(current)];
  const shareOfReference = sumOfReference / (sumOfReference + sumOfCurrent);
  const least = (minExpected * (sumOfReference + sumOfCurrent)) / Math.min(sumOfReference, sumOfCurrent);
  const [others, othersNow] = [reference[last] as number, current[last] as number];
  const named = reference.slice(0, last);
  const isCut = others > 0;
  const bound = isCut ? named.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY) : 1;
  const doubtful = isCut ? bound + 1 : 1;
  const ofDoubtful = sum(named.filter((count) => count <= doubtful));
  const mayMove = Math.min(ofDoubtful, sum(named.filter((count) => count === 1)) + 3 * others);
  const moved = Math.min(mayMove, Math.max(0, (othersNow * sumOfReference) / sumOfCurrent - others));
  const near = bound + 5 * Math.sqrt(bound);

  const rowsOf = (k: number) => (named[k] as number) + (current[k] as number);
  const cells = { reference: [others + moved, 0], current: [othersNow, 0] };
  const addTo = (at: number, k: number) => {
    const count = named[k] as number;
    const stays = count <= doubtful ? count * (1 - moved / ofDoubtful) : count;
    cells.reference[at] = (cells.reference[at] ?? 0) + stays;
    cells.current[at] = (cells.current[at] ?? 0) + (current[k] as number);
  };
  const rare: number[] = [];
  for (const k of named.keys()) {
    const rows = rowsOf(k);
    if (rows * shareOfReference <= near) addTo(1, k);
    else if (rows >= least) addTo(cells.reference.length, k);
    else rare.push(k);
  }
  rare.sort((a, b) => ((names[a] as string) < (names[b] as string) ? -1 : 1));
  let left = sum(rare.map(rowsOf));
  let joined = least;
  for (const k of rare) {
    // The last cell takes what would be too few for one more.
    const isNew = joined >= least && (left >= least || joined === least);
    addTo(cells.reference.length - (isNew ? 0 : 1), k);
    joined = (isNew ? 0 : joined) + rowsOf(k);
    left -= rowsOf(k);
  }
  return cells;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
