import { readFileSync } from 'node:fs';

/**
 * Milliseconds of the processor that the main thread of this process has had: what it does takes as many of them on a
 * machine that has other work. Where the system does not tell (it is not Linux), the time that has passed.
 */
export function mainThreadMs(): number {
  try {
    const nanoseconds = Number.parseInt(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8'), 10);
    if (nanoseconds > 0) return nanoseconds / 1e6;
  } catch {
    // No such file: the other clock then.
  }
  return performance.now();
}
