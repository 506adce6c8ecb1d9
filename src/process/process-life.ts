import { readFile } from 'node:fs/promises';
import { codeOf } from '../errors.js';

/** The state of a process that has ended, and that its parent has not reaped. */
const ended = /^[ZX]$/;

/**
 * When a process began, as the kernel's count of ticks (field 22 of `/proc/PID/stat`): a later process with this id has
 * another. Undefined if the process has ended; null on systems without `/proc`.
 */
export async function readStart(pid: number): Promise<string | null | undefined> {
  if (!exists(pid)) return undefined;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return exists(pid) ? null : undefined;
  // The name of the program, in parentheses, may have spaces and parentheses.
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ended.test(state) ? undefined : (fields[18] ?? null);
}

/** A process of another user exists, too. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
