/** The 99th percentile; 0 for an empty list. Sorts the list in place. */
export function p99(times: number[]): number {
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? 0;
}
