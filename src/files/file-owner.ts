import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';

// Files that belong to one process carry its numbers in their name, so that another process can tell whether it has
// ended.

/** The host and, in a container, its own numbers of processes: elsewhere the same number is another process. */
export function machine(): string {
  const numbers = readOr('', () => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update(`${hostname()} ${numbers}`).digest('hex').slice(0, 8);
}

/** When a process of this machine began, in the kernel's ticks: a number is given to another process one day. */
export function startOf(pid: number): string | undefined {
  return readOr(undefined, () => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in brackets, may hold anything; the start is the 22nd field (proc(5)).
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process of another user may not be asked.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The time by the kernel's clock, as files have it: a process may have been given another. */
export function kernelNow(): number {
  return readOr(Date.now(), () => statSync('/proc/self/stat').mtimeMs);
}

/** Where there is no /proc, as on other systems than Linux, `otherwise`. */
function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
