/**
 * The first Wasserstein distance of two samples, in the unit of their values: the area between their distribution
 * functions. Both samples are in ascending order and not empty. S. S. Vallender, Theory of Probability and Its
 * Applications 18 (1974).
 */
export function wassersteinDistance(first: Float64Array, second: Float64Array): number {
  let [a, b] = [0, 0];
  let distance = 0;
  let last = Math.min(first[0] as number, second[0] as number);
  while (a < first.length || b < second.length) {
    const value = Math.min(first[a] ?? Number.POSITIVE_INFINITY, second[b] ?? Number.POSITIVE_INFINITY);
    distance += Math.abs(a / first.length - b / second.length) * (value - last);
    last = value;
    while (a < first.length && first[a] === value) a += 1;
    while (b < second.length && second[b] === value) b += 1;
  }
  return distance;
}
