import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const lowPriority = 10;

/** Lets other processes have the processor first (nice 10), also for the threads and children of this process. */
export function lowerPriority(): void {
  for (const thread of listThreads()) {
    try {
      if (getPriority(thread) < lowPriority) setPriority(thread, lowPriority);
    } catch {
      // The thread has ended, or the system does not permit it: the process then yields less.
    }
  }
}

/** Linux has a priority for each thread: those that compile and collect garbage would keep theirs. */
function listThreads(): readonly number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [process.pid];
  }
}
