import { bucketMs, latencyBuckets, stepSeconds, type TrafficStep } from './traffic-steps.js';

export interface TrafficPoint {
  /** Milliseconds since 1970 of the begin of the step. */
  readonly at: number;
  readonly requests: number;
  readonly refused: number;
  readonly failed: number;
  /** Null without requests. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
}

/** The steps of several models and processes as one series: a point for each step from the first one to the last. */
export function toPoints(steps: readonly TrafficStep[], now: number): readonly TrafficPoint[] {
  const sums = new Map<number, { ok: number; refused: number; failed: number; buckets: number[] }>();
  for (const { step, ok, refused, failed, latencies } of steps) {
    const sum = sums.get(step) ?? {
      ok: 0,
      refused: 0,
      failed: 0,
      buckets: new Array<number>(latencyBuckets).fill(0),
    };
    sums.set(step, sum);
    sum.ok += ok;
    sum.refused += refused;
    sum.failed += failed;
    for (const [bucket, count] of latencies) sum.buckets[bucket] = (sum.buckets[bucket] ?? 0) + count;
  }
  const current = Math.floor(now / (stepSeconds * 1_000));
  const first = Math.min(current, ...sums.keys());
  return Array.from({ length: current - first }, (_, k) => {
    const { ok = 0, refused = 0, failed = 0, buckets = [] } = sums.get(first + k) ?? {};
    return {
      at: (first + k) * stepSeconds * 1_000,
      requests: ok + refused + failed,
      refused,
      failed,
      p50_ms: quantile(buckets, 0.5),
      p99_ms: quantile(buckets, 0.99),
    };
  });
}

function quantile(buckets: readonly number[], share: number): number | null {
  const total = buckets.reduce((sum, it) => sum + it, 0);
  let left = Math.ceil(total * share);
  for (const [bucket, count] of buckets.entries()) {
    left -= count;
    if (count > 0 && left <= 0) return Number(bucketMs(bucket).toPrecision(3));
  }
  return null;
}
