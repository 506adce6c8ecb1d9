import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { BaseLogger } from 'pino';

const lookEveryMs = 1_000;
const tellEveryMs = 60_000;
/** From this share of the limit on, new connections may soon be closed without a word. */
const nearlyAll = 0.95;

/**
 * Logs once a minute that the process has used up its file descriptors, as long as it has: the kernel then takes no
 * more connections, and no code of this process is told. Gives what ends the looks. Where there is no /proc it does
 * nothing.
 */
export function watchDescriptors(log: Pick<BaseLogger, 'error'>): () => void {
  const limit = readLimit();
  if (limit === undefined) return () => undefined;
  let nextTold = 0;
  const look = async (): Promise<void> => {
    const open = await countOpen();
    if (open !== undefined && open < nearlyAll * limit) return;
    const now = performance.now();
    if (now < nextTold) return;
    nextTold = now + tellEveryMs;
    log.error(
      { open, limit },
      'the process has used up its file descriptors, and new connections are closed: raise its limit (ulimit -n)',
    );
  };
  const timer = setInterval(() => void look(), lookEveryMs).unref();
  return () => clearInterval(timer);
}

/** Undefined where not even one is left to look with. */
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
