import { spawnSync } from 'node:child_process';

/** A process that has ended stays in the table as a zombie until somebody asks how: it is not alive. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== '' && !state.startsWith('Z');
}

/** Whether the process computes at this moment. */
export function isRunning(pid: number): boolean {
  return stateOf(pid).startsWith('R');
}

function stateOf(pid: number): string {
  return spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
}

export function childrenOf(pid: number): number[] {
  // Where there are none, ps says so by its exit code.
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean).map(Number);
}
