import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

const lowPriority = 10;

/** Lets other processes have the processor first (nice 10), also for the threads and children of this process. */
export function lowerPriority(): void {
  try {
    setPriority(lowPriority);
    // Linux has a priority for each thread: those that compile and collect garbage would keep theirs.
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), lowPriority);
  } catch {
    // Not every system permits it: the process then yields less.
  }
}
