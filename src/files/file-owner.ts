import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';

// A file of one process has that process's ids in its name: another process can find out whether the owner has ended.

/** Identifies the host and the PID namespace: in another one the same PID is another process. */
export function machine(): string {
  const numbers = readOr('', () => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update(`${hostname()} ${numbers}`).digest('hex').slice(0, 8);
}

/** A process, so that another one can find out whether it has ended. */
export interface ProcessMark {
  readonly machine: string;
  readonly pid: number;
  /** See `startOf`; left out without /proc. */
  readonly start?: string | undefined;
}

export function ownMark(): ProcessMark {
  return { machine: machine(), pid: process.pid, start: startOf(process.pid) };
}

/** `unknown` for a process on another machine, or in another container. */
export function stateOf({ machine: place, pid, start }: ProcessMark): 'ended' | 'alive' | 'unknown' {
  if (place !== machine()) return 'unknown';
  const found = readProcess(pid);
  if (found === undefined) return isAlive(pid) ? 'alive' : 'ended';
  // A process in the state Z or X has ended, and its parent has not reaped it.
  const isSame = start === undefined || found.start === start;
  return isSame && !/^[ZX]$/.test(found.state) ? 'alive' : 'ended';
}

/** The start time of a process in the kernel's ticks: PIDs are reused, and the start time tells two processes apart. */
export function startOf(pid: number): string | undefined {
  return readProcess(pid)?.start;
}

function readProcess(pid: number): { readonly state: string; readonly start: string } | undefined {
  return readOr(undefined, () => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may hold any character. The state is field 3, the start time field 22 (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] as string, start: fields[19] as string };
  });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists, but belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The kernel's clock, which also stamps files: `Date.now` of a process may be faked. */
export function kernelNow(): number {
  return readOr(Date.now(), () => statSync('/proc/self/stat').mtimeMs);
}

/** Returns `otherwise` without /proc, as on systems other than Linux. */
function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
