import { logGamma } from './gamma.js';

/**
 * The probability that the two-sided Kolmogorov–Smirnov statistic of one sample of `n` values is at least `d`, if the
 * sample is of the tested distribution. Which method is used where follows R. Simard and P. L'Ecuyer, Journal of
 * Statistical Software 39 (2011).
 */
export function kolmogorovTail(n: number, d: number): number {
  if (d >= 1) return 0;
  const t = n * d;
  if (t <= 0.5) return 1;
  if (t <= 1) return 1 - Math.exp(logGamma(n + 1) + n * Math.log((2 * t - 1) / n));
  if (t >= n - 1) return 2 * (1 - d) ** n;
  const square = t * d;
  if (d >= 0.5 || square >= (n <= 140 ? 4 : 2.2)) return Math.min(1, 2 * smirnovTail(n, d));
  const isExact = n <= 140 || (n <= 100_000 && n * d ** 1.5 <= 1.4);
  return Math.min(1, Math.max(0, 1 - (isExact ? matrixPower(n, d) : pelzGood(n, d))));
}

/** The one-sided tail, exact: N. W. Smirnov (1944), as in D. E. Knuth's volume 2, section 3.3.1. All terms are positive. */
function smirnovTail(n: number, d: number): number {
  let sum = 0;
  const logOfAll = logGamma(n + 1);
  for (let k = Math.floor(n * (1 - d)); k >= 0; k -= 1) {
    const share = k / n;
    const rest = 1 - d - share;
    if (rest <= 0) continue;
    const logBinomial = logOfAll - logGamma(k + 1) - logGamma(n - k + 1);
    sum += Math.exp(logBinomial + (k - 1) * Math.log(d + share) + (n - k) * Math.log(rest));
  }
  return d * sum;
}

/** The distribution function, exact: G. Marsaglia, W. W. Tsang and J. Wang, Journal of Statistical Software 8 (2003). */
function matrixPower(n: number, d: number): number {
  const k = Math.floor(n * d) + 1;
  const size = 2 * k - 1;
  const h = k - n * d;
  const base = new Float64Array(size * size);
  const set = (i: number, j: number, value: number) => {
    base[i * size + j] = value;
  };
  for (let i = 0; i < size; i += 1) for (let j = 0; j <= Math.min(i + 1, size - 1); j += 1) set(i, j, 1);
  for (let i = 0; i < size; i += 1) {
    set(i, 0, (base[i * size] as number) - h ** (i + 1));
    const last = (size - 1) * size + i;
    base[last] = (base[last] as number) - h ** (size - i);
  }
  const corner = (size - 1) * size;
  if (2 * h - 1 > 0) base[corner] = (base[corner] as number) + (2 * h - 1) ** size;
  for (let i = 0; i < size; i += 1) {
    let factorial = 1;
    for (let j = i; j >= 0; j -= 1) {
      factorial *= i - j + 1;
      set(i, j, (base[i * size + j] as number) / factorial);
    }
  }
  const { matrix, exponent } = power({ matrix: base, exponent: 0 }, size, n);
  let value = matrix[(k - 1) * size + k - 1] as number;
  let scale = exponent;
  for (let i = 1; i <= n; i += 1) {
    value = (value * i) / n;
    if (value < 1e-140) {
      value *= 1e140;
      scale -= 140;
    }
  }
  return value * 10 ** scale;
}

/** A matrix times a power of ten. */
interface Scaled {
  readonly matrix: Float64Array;
  readonly exponent: number;
}

function power(base: Scaled, size: number, n: number): Scaled {
  if (n === 1) return base;
  const half = power(base, size, Math.floor(n / 2));
  const square = multiply(half, half, size);
  return n % 2 === 0 ? square : multiply(square, base, size);
}

function multiply(a: Scaled, b: Scaled, size: number): Scaled {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) {
    for (let k = 0; k < size; k += 1) {
      const factor = a.matrix[i * size + k] as number;
      if (factor === 0) continue;
      for (let j = 0; j < size; j += 1)
        matrix[i * size + j] = (matrix[i * size + j] as number) + factor * (b.matrix[k * size + j] as number);
    }
  }
  let exponent = a.exponent + b.exponent;
  const middle = Math.floor(size / 2);
  if ((matrix[middle * size + middle] as number) > 1e140) {
    for (let k = 0; k < matrix.length; k += 1) matrix[k] = (matrix[k] as number) * 1e-140;
    exponent += 140;
  }
  return { matrix, exponent };
}

/** The distribution function, by four terms: W. Pelz and I. J. Good, Journal of the Royal Statistical Society B 38 (1976). */
function pelzGood(n: number, d: number): number {
  const z = d * Math.sqrt(n);
  const z2 = z * z;
  const z4 = z2 * z2;
  const z6 = z4 * z2;
  const z8 = z4 * z4;
  const pi2 = Math.PI ** 2;
  let [k0, k1, k2, k3, k2Whole, k3Whole] = [0, 0, 0, 0, 0, 0];
  for (let k = 0; k < 40; k += 1) {
    const half = pi2 * (k + 0.5) ** 2;
    const weight = Math.exp(-half / (2 * z2));
    k0 += weight;
    k1 += (half - z2) * weight;
    k2 += (6 * z6 + 2 * z4 + half * (2 * z4 - 5 * z2) + half ** 2 * (1 - 2 * z2)) * weight;
    k3 +=
      (half ** 3 * (5 - 30 * z2) +
        half ** 2 * (-60 * z2 + 212 * z4) +
        half * (135 * z4 - 96 * z6) -
        (30 * z6 + 90 * z8)) *
      weight;
    const whole = pi2 * k * k;
    const wholeWeight = Math.exp(-whole / (2 * z2));
    k2Whole += whole * wholeWeight;
    k3Whole += (-(whole ** 2) + 3 * whole * z2) * wholeWeight;
  }
  // Each sum has the terms from 0 on; those below 0 are equal.
  const root = 2 * Math.sqrt(Math.PI / 2);
  const first = (2 * Math.sqrt(Math.PI / 2) * k0) / z;
  const second = (root * k1) / (6 * z4);
  const third = (root * k2) / (72 * z6 * z) - (root * k2Whole) / (36 * z2 * z);
  // 216 as in scipy, 108 as in Simard and L'Ecuyer: for n = 141 the tail differs by 2e-6, and from then on by less.
  const fourth = (root * k3) / (6_480 * z8 * z2) + (root * k3Whole) / (216 * z6);
  return first + second / Math.sqrt(n) + third / n + fourth / n ** 1.5;
}
