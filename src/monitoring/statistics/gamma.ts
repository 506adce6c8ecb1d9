/** Lanczos' coefficients for g = 607/128 and 15 terms (P. Godfrey, 2001): the relative error is below 1e-14. */
const lanczos = [
  0.9999999999999971, 57.15623566586292, -59.59796035547549, 14.136097974741746, -0.4919138160976202,
  3.399464998481189e-5, 4.652362892704858e-5, -9.837447530487956e-5, 0.0001580887032249125,
  -0.00021026444172410488, 0.00021743961811521265, -0.0001643181065367639, 8.441822398385275e-5,
  -2.6190838401581408e-5, 3.6899182659531625e-6,
] as const;
const lanczosG = 607 / 128;
const maxTerms = 10_000;
const epsilon = 2 ** -53;

/** The natural logarithm of Γ(x), for x > 0. */
export function logGamma(x: number): number {
  let sum = lanczos[0] as number;
  for (let k = 1; k < lanczos.length; k += 1) sum += (lanczos[k] as number) / (x + k - 1);
  const base = x + lanczosG - 0.5;
  return (x - 0.5) * Math.log(base) - base + Math.log(Math.sqrt(2 * Math.PI) * sum);
}

/**
 * The upper regularised incomplete gamma function Q(a, x), for a > 0 and x >= 0: the series of DLMF 8.7.1 below a + 1,
 * and above it the continued fraction of DLMF 8.9.2 by Lentz's method. Small results keep their relative precision.
 */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  if (x === Number.POSITIVE_INFINITY) return 0;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let k = 1; k < maxTerms && Math.abs(term) > Math.abs(sum) * epsilon; k += 1) {
      term *= x / (a + k);
      sum += term;
    }
    return Math.min(1, Math.max(0, 1 - sum * scale));
  }
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < maxTerms; k += 1) {
    const factor = -k * (k - a);
    b += 2;
    d = 1 / nonZero(factor * d + b, tiny);
    c = nonZero(b + factor / c, tiny);
    const change = d * c;
    fraction *= change;
    if (Math.abs(change - 1) <= 2 * epsilon) break;
  }
  return Math.min(1, Math.max(0, fraction * scale));
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}
