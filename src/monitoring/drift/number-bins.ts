import type { Bin } from './column-report.js';

const binCount = 10;

export interface NumberBins {
  /** The shares of the reference and of the window. */
  readonly expected: readonly number[];
  readonly actual: readonly number[];
  /** Those that have values. */
  readonly shown: readonly Bin[];
}

/**
 * The shares of two samples, ascending and not empty, in bins with about a tenth of the first one each. A value that
 * repeats so often has a bin of its own, so that values below and above it are seen. The outer bins have no end.
 */
export function shareInBins(sample: Float64Array, current: Float64Array): NumberBins {
  const edges = edgesOf(sample);
  const [expected, actual] = [sharesOf(sample, edges), sharesOf(current, edges)];
  const least = Math.min(sample[0] as number, current[0] as number);
  const most = Math.max(sample.at(-1) as number, current.at(-1) as number);
  const shown: Bin[] = [];
  for (const [k, reference] of expected.entries()) {
    const [from, to] = [edges[k - 1]?.shown ?? least, edges[k]?.shown ?? most];
    if (reference + (actual[k] as number) > 0)
      shown.push({ from, to, reference, current: actual[k] as number });
  }
  return { expected, actual, shown };
}

/** Values from `at` on are above the edge. `shown` is `at`, or the repeated value after which the edge is. */
interface Edge {
  readonly at: number;
  readonly shown: number;
}

function edgesOf(sample: Float64Array): readonly Edge[] {
  const edges: Edge[] = [];
  const [first, last] = [sample[0] as number, sample.length - 1];
  let before = Number.NEGATIVE_INFINITY;
  const add = (at: number, shown: number) => {
    if (at > before) edges.push({ at, shown });
    before = Math.max(before, at);
  };
  for (let k = 0; k < binCount; k += 1) {
    const place = Math.floor((k * sample.length) / binCount);
    const value = sample[place] as number;
    const next = sample[Math.min(last, Math.floor(((k + 1) * sample.length) / binCount))] as number;
    const isRepeated = next === value && (sample[place - 1] === value || sample[place + 1] === value);
    if (isRepeated || value > first) add(value, value);
    if (isRepeated) add(nextAbove(value), value);
  }
  return edges;
}

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

/** The least number above a finite one. */
function nextAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  float[0] = value;
  bits[0] = (bits[0] as bigint) + (value > 0 ? 1n : -1n);
  return float[0] as number;
}

function sharesOf(sorted: Float64Array, edges: readonly Edge[]): readonly number[] {
  const shares: number[] = [];
  let from = 0;
  for (const { at } of edges) {
    const to = firstFrom(sorted, at, from);
    shares.push((to - from) / sorted.length);
    from = to;
  }
  return [...shares, (sorted.length - from) / sorted.length];
}

/** The place of the first value that is at least `value`, from `low` on. */
function firstFrom(sorted: Float64Array, value: number, low: number): number {
  let [from, to] = [low, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] as number) < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
