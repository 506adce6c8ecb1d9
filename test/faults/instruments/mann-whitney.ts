/**
 * The two-sided p-value of the Mann-Whitney U test (1947), by the normal approximation with the correction for ties.
 */
export function mannWhitneyP(a: readonly number[], b: readonly number[]): number {
  const all = [...a.map((value) => [value, 0] as const), ...b.map((value) => [value, 1] as const)];
  all.sort(([x], [y]) => x - y);
  let rankSum = 0;
  let ties = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end]?.[0] === all[start]?.[0]) end += 1;
    const count = end - start;
    ties += count ** 3 - count;
    for (let k = start; k < end; k += 1) if (all[k]?.[1] === 0) rankSum += (start + end + 1) / 2;
    start = end;
  }
  const [n, m] = [a.length, b.length];
  const u = rankSum - (n * (n + 1)) / 2;
  const variance = ((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
  return erfc(Math.abs(u - (n * m) / 2) / Math.sqrt(2 * variance));
}

export function median(values: readonly number[]): number {
  return [...values].sort((x, y) => x - y)[values.length >> 1] as number;
}

/** Abramowitz and Stegun 7.1.26: within 1.5e-7. */
function erfc(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return polynomial * Math.exp(-x * x);
}
