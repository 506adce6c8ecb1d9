const maxLength = 64;

/**
 * Of the known names, those that a misspelt one most likely meant, nearest first: at most a third of its
 * letters apart, or so many, by the distance of Levenshtein, case aside.
 */
export function nearestNames(
  name: string,
  known: readonly string[],
  most: number,
  limit = Math.max(1, Math.floor(name.length / 3)),
): readonly string[] {
  if (name.length > maxLength) return [];
  const wanted = name.toLowerCase();
  return known
    .slice(0, 1_000)
    .map((candidate) => ({ candidate, distance: distanceBetween(wanted, candidate.toLowerCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** Levenshtein (1966), one row of the table at a time; infinite once it must be more than `limit`. */
function distanceBetween(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, k) => k);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    let least = i;
    for (let k = 1; k <= b.length; k += 1) {
      const replaced = (previous[k - 1] as number) + (a[i - 1] === b[k - 1] ? 0 : 1);
      const distance = Math.min(replaced, (previous[k] as number) + 1, (current[k - 1] as number) + 1);
      current.push(distance);
      if (distance < least) least = distance;
    }
    if (least > limit) return Number.POSITIVE_INFINITY;
    previous = current;
  }
  return previous[b.length] as number;
}
