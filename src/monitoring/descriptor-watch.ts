import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { BaseLogger } from 'pino';

const checkEveryMs = 1_000;
const logEveryMs = 60_000;
/** From this share of the limit on, new connections may soon be closed silently. */
const nearlyAll = 0.95;

/**
 * Logs once a minute while the process has no file descriptor left: new connections are closed then, and this process
 * gets no event for them. Returns a function that ends the watch. Does nothing without /proc.
 */
export function watchDescriptors(log: Pick<BaseLogger, 'error'>): () => void {
  const limit = readLimit();
  if (limit === undefined) return () => undefined;
  let nextLogAt = 0;
  const check = async (): Promise<void> => {
    const open = await countOpen();
    if (open !== undefined && open < nearlyAll * limit) return;
    const now = performance.now();
    if (now < nextLogAt) return;
    nextLogAt = now + logEveryMs;
    log.error(
      { open, limit },
      'the process has used up its file descriptors, and new connections are closed: raise its limit (ulimit -n)',
    );
  };
  const timer = setInterval(() => void check(), checkEveryMs).unref();
  return () => clearInterval(timer);
}

/** Undefined if no descriptor is left to open the folder with. */
async function countOpen(): Promise<number | undefined> {
  try {
    return (await readdir('/proc/self/fd')).length;
  } catch {
    return undefined;
  }
}

function readLimit(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
