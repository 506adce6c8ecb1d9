import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that has ended stays in the table as a zombie until its parent reaps it: it counts as not alive. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== '' && !state.startsWith('Z');
}

/** Whether the process is running on a processor now. */
export function isRunning(pid: number): boolean {
  return stateOf(pid).startsWith('R');
}

function stateOf(pid: number): string {
  return spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
}

/** The child processes whose title in `ps` contains the text. */
export function childrenOf(pid: number, title = ''): number[] {
  // Without any, ps exits with an error code.
  const { stdout } = spawnSync('ps', ['-o', 'pid=,args=', '--ppid', String(pid)], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line !== '' && line.includes(title));
  return lines.map((line) => Number.parseInt(line, 10));
}

/** The child that serves a version. A spare child was started later. */
export function childOf(pid: number, title: string): number | undefined {
  return childrenOf(pid, title).sort((a, b) => a - b)[0];
}

/** The CPU time of a process so far, in milliseconds, without that of other processes. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The memory of a process now, or its peak (`VmHWM`), in MB. */
export const memoryMb = (pid: number | undefined, field: 'VmRSS' | 'VmHWM'): number =>
  readStatus(pid, field) / 1_024;

/** The part of the machine's memory that a process takes, in MB: of a page that n processes share, 1/n (proc(5)). */
export function shareOfMemoryMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]) / 1_024;
}

export const countThreads = (pid: number | undefined): number => readStatus(pid, 'Threads');

function readStatus(pid: number | undefined, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}
