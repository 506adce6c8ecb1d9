/** Names of one request that get a suggestion at most. */
export const maxSuggested = 20;

const maxLength = 64;
const maxKnown = 1_000;
/** A name at a larger distance is never a suggestion, even for a long name. */
const maxDistance = 8;

/** Table cells that the searches of one request may still fill, at 1 to 2 ns each. Without budget: no suggestion. */
export interface SearchBudget {
  cells: number;
}

/** A few milliseconds: one name against a thousand similar names of 64 letters takes half of it at most. */
export const createSearchBudget = (): SearchBudget => ({ cells: 1_500_000 });

/**
 * Returns up to `maxNames` known names within the Levenshtein distance `limit`, nearest first, ignoring case. The
 * default limit is a third of the name's length, from 1 to 8.
 */
export function nearestNames(
  name: string,
  known: readonly string[],
  maxNames: number,
  limit = Math.min(maxDistance, Math.max(1, Math.floor(name.length / 3))),
  budget = createSearchBudget(),
): readonly string[] {
  if (name.length > maxLength) return [];
  const wanted = name.toLowerCase();
  const size = maxLength + limit + 2;
  const rows = [new Uint8Array(size), new Uint8Array(size)] as const;
  const found: { readonly candidate: string; readonly distance: number }[] = [];
  for (const candidate of known.slice(0, maxKnown)) {
    const last = found.length < maxNames ? undefined : found[maxNames - 1]?.distance;
    const within = last === undefined ? limit : last - 1;
    if (within < 0 || Math.abs(candidate.length - name.length) > within) continue;
    if (budget.cells <= 0) return [];
    const distance = distanceBetween(wanted, candidate.toLowerCase(), within, rows, budget);
    if (distance > within) continue;
    const place = found.findIndex((it) => it.distance > distance);
    found.splice(place === -1 ? found.length : place, 0, { candidate, distance });
    found.length = Math.min(found.length, maxNames);
  }
  return found.map(({ candidate }) => candidate);
}

/** What follows a message about an unknown name: the known names that it may have meant, or nothing. */
export function didYouMean(nearest: readonly string[]): string {
  return nearest.length === 0 ? '' : `; did you mean ${nearest.join(' or ')}?`;
}

type Rows = readonly [Uint8Array, Uint8Array];

/**
 * Levenshtein (1966), one row of the table at a time. Only cells within `limit` of the diagonal are filled: no path of
 * that length leaves this band (Ukkonen, 1985). Returns `limit + 1` if the distance is larger than `limit`.
 */
function distanceBetween(a: string, b: string, limit: number, rows: Rows, budget: SearchBudget): number {
  let start = 0;
  let [endA, endB] = [a.length, b.length];
  while (start < endA && start < endB && a[start] === b[start]) start += 1;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  const columns = endB - start;
  const beyond = limit + 1;
  let [previous, current] = rows;
  for (let k = 0; k <= columns; k += 1) previous[k] = Math.min(k, beyond);
  budget.cells -= columns + 1;
  for (let i = 1; i <= endA - start; i += 1) {
    const first = Math.max(1, i - limit);
    const last = Math.min(columns, i + limit);
    const code = a.charCodeAt(start + i - 1);
    // The cells at both ends of the band read the cells just outside it.
    let left = first === 1 ? Math.min(i, beyond) : beyond;
    current[first - 1] = left;
    let least = left;
    for (let k = first; k <= last; k += 1) {
      const replaced = (previous[k - 1] as number) + (code === b.charCodeAt(start + k - 1) ? 0 : 1);
      left = Math.min(replaced, (previous[k] as number) + 1, left + 1, beyond);
      current[k] = left;
      if (left < least) least = left;
    }
    if (last < columns) current[last + 1] = beyond;
    budget.cells -= last - first + 1;
    if (least > limit) return beyond;
    [previous, current] = [current, previous];
  }
  return previous[columns] as number;
}
