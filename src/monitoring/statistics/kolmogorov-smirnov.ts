import { kolmogorovTail } from './kolmogorov-distribution.js';

export interface KolmogorovSmirnov {
  /** The largest distance of the two distribution functions, from 0 to 1. */
  readonly statistic: number;
  /** How likely such a distance, or a larger one, is for two samples of one distribution. */
  readonly pValue: number;
}

/** Beyond this number of steps the exact p-value takes more than a millisecond. */
const maxExactSteps = 250_000;

/**
 * The two-sided Kolmogorov–Smirnov test of two samples, both in ascending order and not empty. Equal values are taken
 * together. The p-value is exact for small samples, as if the distribution were continuous, and otherwise that of one
 * sample of n·m/(n+m) values. N. W. Smirnov, Bulletin of Moscow University 2 (1939).
 */
export function compareSamples(
  first: Float64Array,
  second: Float64Array,
  method: 'auto' | 'exact' | 'asymptotic' = 'auto',
): KolmogorovSmirnov {
  const statistic = largestDistance(first, second);
  const [n, m] = [first.length, second.length];
  const isExact = method === 'exact' || (method === 'auto' && n * m <= maxExactSteps);
  const pValue = isExact
    ? exactTail(n, m, statistic)
    : kolmogorovTail(roundHalfToEven((n / (n + m)) * m), statistic);
  return { statistic, pValue: Math.min(1, Math.max(0, pValue)) };
}

/** As numpy does, so that p-values are those of scipy. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

function largestDistance(first: Float64Array, second: Float64Array): number {
  let [a, b, largest] = [0, 0, 0];
  while (a < first.length && b < second.length) {
    const value = Math.min(first[a] as number, second[b] as number);
    while (a < first.length && first[a] === value) a += 1;
    while (b < second.length && second[b] === value) b += 1;
    largest = Math.max(largest, Math.abs(a / first.length - b / second.length));
  }
  return largest;
}

/** J. L. Hodges, Arkiv för Matematik 3 (1958): the share of lattice paths that leave the band around the diagonal. */
function exactTail(n: number, m: number, statistic: number): number {
  const divisor = greatestDivisor(n, m);
  const steps = Math.round(statistic * (n / divisor) * m);
  if (steps === 0) return 1;
  return n === m ? tailOfEqualSizes(n, steps) : tailOfSizes(Math.max(n, m), Math.min(n, m), divisor, steps);
}

/** B. V. Gnedenko and V. S. Korolyuk, Doklady 80 (1951): a sum of binomial coefficients, by Horner's rule. */
function tailOfEqualSizes(n: number, steps: number): number {
  let tail = 0;
  for (let k = Math.floor(n / steps); k >= 0; k -= 1) {
    let ratio = 1;
    for (let j = 0; j < steps; j += 1) ratio *= (n - k * steps - j) / (n + k * steps + j + 1);
    tail = ratio * (1 - tail);
  }
  return 2 * tail;
}

/**
 * Column by column, the share of the paths to a point that have left the band. As shares they neither overflow nor
 * lose the precision of a small result. `n` is at least `m`.
 */
function tailOfSizes(n: number, m: number, divisor: number, steps: number): number {
  const [columns, rows] = [n / divisor, m / divisor];
  let from = 0;
  let to = Math.min(Math.ceil(steps / columns), m + 1);
  // Points above the band: every path to them has left it.
  const shares = new Float64Array(Math.min(2 * to + 2, m + 1) + 1).fill(1);
  shares.fill(0, 0, to);
  for (let i = 1; i <= n; i += 1) {
    const [lastFrom, lastLength] = [from, to - from];
    from = Math.min(Math.max(Math.floor((rows * i - steps) / columns) + 1, 0), m);
    to = Math.min(Math.ceil((rows * i + steps) / columns), m + 1);
    if (to <= from) return 1;
    let share = from === 0 ? 0 : 1;
    for (let k = 0; k < to - from; k += 1) {
      const j = k + from;
      share = ((shares[j - lastFrom] as number) * i + share * j) / (i + j);
      shares[k] = share;
    }
    if (lastLength > to - from) shares.fill(1, to - from, lastLength);
  }
  return shares[to - from - 1] as number;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
