import { readFileSync } from 'node:fs';

/** CPU time of the main thread, which a busy machine does not lengthen. Outside Linux, wall-clock time. */
export function mainThreadMs(): number {
  try {
    const nanoseconds = Number.parseInt(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8'), 10);
    if (nanoseconds > 0) return nanoseconds / 1e6;
  } catch {
    // No such file outside Linux.
  }
  return performance.now();
}
