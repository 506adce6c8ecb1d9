import { open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { codeOf, RefusedError } from '../errors.js';

const retryMs = 50;

/**
 * Works while no other process that asks here works on the same file: a file beside it, `<path>.lock`, says who does.
 * One that is left over from a process that was killed is not removed, since two that did so at once could both go on.
 * Throws `RefusedError` where the lock is not free within `patienceMs`, and says what to do.
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
    const who = holder === undefined ? 'somebody' : `process ${holder.pid} on ${holder.host}`;
    throw new RefusedError(
      isGone
        ? `${lock} is left over from ${who}, which has ended: remove it`
        : `${lock} says that ${who} is writing; if that is not so any more, remove it`,
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

/** Undefined where the lock is gone meanwhile, or not written yet. */
async function readHolder(lock: string): Promise<{ pid: number; host: string } | undefined> {
  const text = await readFile(lock, 'utf8').catch(() => '');
  const [, pid, host] = /^(\d+) (\S+)\n$/.exec(text) ?? [];
  return pid === undefined || host === undefined ? undefined : { pid: Number(pid), host };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
