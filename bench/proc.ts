import { readdirSync, readFileSync } from 'node:fs';
import { sleep } from './table.js';

export function residentMiB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

/** The share of all processors that is busy, from 0 to 1. Call it at rest to measure the other work of the machine. */
export async function busyShare(ms: number): Promise<number> {
  const read = () => {
    const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
    const times = line.trim().split(/\s+/).slice(1, 9).map(Number);
    const all = times.reduce((sum, it) => sum + it, 0);
    return { all, idle: (times[3] ?? 0) + (times[4] ?? 0) };
  };
  const before = read();
  await sleep(ms);
  const after = read();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

/** CPU time of a process and of its living descendants, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readStat);
  const sum = (of: number): number =>
    stats.reduce((total, it) => total + (it.pid === of ? it.seconds : it.parent === of ? sum(it.pid) : 0), 0);
  return sum(pid);
}

function readStat(pid: string): { pid: number; parent: number; seconds: number }[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The fields from the third on (proc(5)). The name before them may hold any character.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const seconds = (Number(fields[11]) + Number(fields[12])) / 100;
    return [{ pid: Number(pid), parent: Number(fields[1]), seconds }];
  } catch {
    return [];
  }
}
