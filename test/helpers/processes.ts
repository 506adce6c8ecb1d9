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

/** Those whose title, as `ps` shows it, holds a text. */
export function childrenOf(pid: number, title = ''): number[] {
  // Where there are none, ps says so by its exit code.
  const { stdout } = spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line !== '' && line.includes(title));
  return lines.map((line) => Number.parseInt(line, 10));
}
