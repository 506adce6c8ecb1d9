/**
 * The p-values of several tests, adjusted so that a threshold bounds the share of false discoveries, not the chance of a
 * false alarm in each test. Y. Benjamini and Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995).
 */
export function adjustPValues(pValues: readonly number[]): readonly number[] {
  const order = [...pValues.keys()].sort((a, b) => (pValues[b] as number) - (pValues[a] as number));
  const adjusted = new Array<number>(pValues.length);
  let least = 1;
  for (const [k, index] of order.entries()) {
    const rank = pValues.length - k;
    least = Math.min(least, ((pValues[index] as number) * pValues.length) / rank);
    adjusted[index] = least;
  }
  return adjusted;
}
