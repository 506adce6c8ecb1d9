import { open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { codeOf, RefusedError } from '../errors.js';
import { isAlive } from './file-owner.js';

const retryMs = 50;

/**
 * Runs `work` under a lock: the file `<path>.lock` names its holder. A lock that a killed process left over is not
 * removed: two processes that removed it at once could both take it. Throws `RefusedError`, which says what to do, if
 * the lock is not free within `patienceMs`.
 */
export async function withLock<T>(path: string, patienceMs: number, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const deadline = performance.now() + patienceMs;
  while (!(await take(lock))) {
    const holder = await readHolder(lock);
    const isGone = holder !== undefined && holder.host === hostname() && !isAlive(holder.pid);
    if (!isGone && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      continue;
    }
    const owner = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
    throw new RefusedError(
      isGone
        ? `${lock} is left over from ${owner}, which has ended: remove it`
        : `${lock} is held by ${owner}; if that process has ended, remove the lock`,
    );
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, 'wx', 0o600);
    await file.writeFile(`${process.pid} ${hostname()}\n`).finally(() => file.close());
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined if the lock was removed meanwhile, or is not written yet. */
async function readHolder(lock: string): Promise<{ pid: number; host: string } | undefined> {
  const text = await readFile(lock, 'utf8').catch(() => '');
  const [, pid, host] = /^(\d+) (\S+)\n$/.exec(text) ?? [];
  return pid === undefined || host === undefined ? undefined : { pid: Number(pid), host };
}
