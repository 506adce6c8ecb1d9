import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { ifThere, type JobFolders } from './job-folders.js';

const touchEveryMs = 2_000;
/** Touched longer ago than this, by the clock of the file system, a worker is taken for gone. */
const silenceMs = 15_000;

/** Where a process runs, and which one it is: process ids mean something on one machine, in one namespace, at one boot. */
interface Place {
  readonly space: string;
  readonly pid: number;
  /** When the process started, in ticks since the boot: a process id is used again. */
  readonly start: string;
}

/** Shows other processes that this one lives. What a process has claimed is free once the process is gone. */
export class WorkerPresence {
  readonly id = randomUUID();
  readonly #folders: JobFolders;
  #timer: NodeJS.Timeout | undefined;

  constructor(folders: JobFolders) {
    this.#folders = folders;
  }

  async begin(onTrouble: (error: unknown) => void): Promise<void> {
    if (this.#timer !== undefined) return;
    await this.show();
    const touch = async (): Promise<void> => {
      const now = new Date();
      const touched = await ifThere(utimes(this.#folders.worker(this.id), now, now).then(() => true));
      // The folder may have been emptied by a person.
      if (touched === undefined) await ifThere(this.show());
    };
    this.#timer = setInterval(() => touch().catch(onTrouble), touchEveryMs).unref();
  }

  /** Writes the file that shows that this process lives. */
  async show(): Promise<void> {
    await writeFile(this.#folders.worker(this.id), `${JSON.stringify(placeOf(process.pid))}\n`, {
      mode: 0o600,
    });
  }

  /** Other processes that share the folder and live. */
  async countOthers(): Promise<number> {
    let others = 0;
    for (const id of (await ifThere(readdir(this.#folders.worker()))) ?? [])
      if (id !== this.id && !(await this.isGone(id))) others += 1;
    return others;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await rm(this.#folders.worker(this.id), { force: true });
  }

  /** Whether a worker has ended, or has been silent for too long. */
  async isGone(id: string): Promise<boolean> {
    if (id === this.id) return false;
    if (!/^[0-9a-f-]{36}$/.test(id)) return true;
    const file = this.#folders.worker(id);
    const [text, theirs, own] = await Promise.all([
      ifThere(readFile(file, 'utf8')),
      ifThere(stat(file)),
      ifThere(stat(this.#folders.worker(this.id))),
    ]);
    if (text === undefined || theirs === undefined) return true;
    if (hasEnded(text)) return true;
    return own !== undefined && own.mtimeMs - theirs.mtimeMs > silenceMs;
  }
}

/** Whether the process of a worker's file has surely ended: false if it runs elsewhere. */
function hasEnded(text: string): boolean {
  let place: Place;
  try {
    place = JSON.parse(text) as Place;
  } catch {
    // Its process is writing it now, or was killed while it did.
    return false;
  }
  const own = placeOf(process.pid);
  if (place.space !== own.space || own.start === '') return false;
  return placeOf(place.pid).start !== place.start;
}

/** The start is empty if there is no such process, or no /proc. */
function placeOf(pid: number): Place {
  return { space: readSpace(), pid, start: readStart(pid) };
}

let space: string | undefined;

function readSpace(): string {
  space ??= [
    hostname(),
    attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    attempt(() => readlinkSync('/proc/self/ns/pid')),
  ].join(' ');
  return space;
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); the second field, in brackets, may hold spaces. */
function readStart(pid: number): string {
  return attempt(() => {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  });
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
