import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { ownMark, type ProcessMark, stateOf } from '../../files/file-owner.js';
import { ifThere, type JobFolders } from './job-folders.js';

const writeEveryMs = 2_000;
/** If its file was written longer ago than this, by the clock of the file system, a worker counts as gone. */
const silenceMs = 15_000;

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
    // Written, not touched with a time: the clock of the file system alone can be compared between machines. The folder
    // may have been removed by a person.
    this.#timer = setInterval(() => ifThere(this.show()).catch(onTrouble), writeEveryMs).unref();
  }

  /** Writes the file that shows that this process lives. */
  async show(): Promise<void> {
    await writeFile(this.#folders.worker(this.id), `${JSON.stringify(ownMark())}\n`, {
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
  try {
    return stateOf(JSON.parse(text) as ProcessMark) === 'ended';
  } catch {
    // Its process is writing it now, or was killed while it did.
    return false;
  }
}
