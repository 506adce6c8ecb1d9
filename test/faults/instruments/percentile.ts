/** The 99th percentile of times, which are put in order; 0 where there are none. */
export function p99(times: number[]): number {
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? 0;
}
