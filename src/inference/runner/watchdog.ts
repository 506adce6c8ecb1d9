/** What the watchdog of a child is started with. */
export interface WatchdogData {
  /** The child ends itself when its resident memory exceeds this. */
  readonly maxMemoryBytes: number;
  /** The process id of the parent. */
  readonly parent: number;
}

/**
 * Ends the process when its parent has gone or when it takes too much memory. It runs in a thread of its own, because
 * a run may block the main thread for ever. SIGUSR2 stands for the memory: the parent never sends it. A message is the
 * folder that must be removed if the parent has gone, or undefined.
 *
 * It runs from its source text (`watchdogSource`), so it must not use anything outside of itself.
 */
function watch(require: NodeJS.Require): void {
  const { workerData, parentPort } = require('node:worker_threads');
  const { rmSync } = require('node:fs');
  const { maxMemoryBytes, parent } = workerData as WatchdogData;
  let copy: string | undefined;
  parentPort.on('message', (folder: string | undefined) => {
    copy = folder;
  });
  setInterval(() => {
    if (process.memoryUsage.rss() > maxMemoryBytes) process.kill(process.pid, 'SIGUSR2');
    if (process.ppid === parent) return;
    try {
      if (copy !== undefined) rmSync(copy, { recursive: true, force: true });
    } catch {
      // The folder stays; the next server that starts removes it.
    }
    process.kill(process.pid, 'SIGKILL');
  }, 50);
}

/** The watchdog as a program for a worker thread: a file of its own would lengthen the start of each child. */
export const watchdogSource = `(${watch})(require)`;
