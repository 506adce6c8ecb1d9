/** In place of an empty bin's share: the logarithm of zero is not finite. */
const leastShare = 1e-4;

/**
 * The population stability index of two distributions over the same bins, as shares: Σ (current − reference) ×
 * ln(current / reference). Below 0.1 it is usually read as stable, above 0.25 as changed. It is the symmetric
 * Kullback–Leibler divergence: H. Jeffreys, Proceedings of the Royal Society A 186 (1946).
 */
export function populationStability(reference: readonly number[], current: readonly number[]): number {
  let index = 0;
  for (const [k, share] of reference.entries()) {
    const [expected, actual] = [Math.max(share, leastShare), Math.max(current[k] as number, leastShare)];
    index += (actual - expected) * Math.log(actual / expected);
  }
  return index;
}
