import { readdirSync, readFileSync } from 'node:fs';
import { sleep } from './table.js';

/** Resident memory of a process now. */
export function residentMiB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

/** How busy all processors are with whatever runs now, from 0 to 1: what else the machine does, if asked at rest. */
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

/** Processor time of a process and of all that descend from it, as far as they live, in seconds. */
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
    // After the name, which may hold anything: the third field and on (proc(5)).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const seconds = (Number(fields[11]) + Number(fields[12])) / 100;
    return [{ pid: Number(pid), parent: Number(fields[1]), seconds }];
  } catch {
    return [];
  }
}
