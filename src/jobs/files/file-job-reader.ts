import type { Stats } from 'node:fs';
import { mkdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { codeOf, toErrorCode } from '../../errors.js';
import { syncFolder } from '../../files/replace-file.js';
import { tagOfOwner } from '../queue/digests.js';
import type { EndState, Job, JobFailure } from '../queue/job.js';
import { type ChunkCounts, listAnswered, readCounts, readResultLines, removeDrafts } from './chunk-files.js';
import { ifThere, type JobFolders } from './job-folders.js';
import { type JobEnd, type JobRecord, readEnd, readRecord, writeEnd } from './job-record.js';
import { findLatestNames } from './latest-names.js';

/** Jobs whose counts are remembered, so that a client that polls does not read all files of results each time. */
const maxRemembered = 64;

/** Names of jobs that are looked for at once: a page of a client has at most as many jobs. */
const namesAtOnce = 128;

/** Reads jobs from their folders, and ends them. */
export class FileJobReader {
  readonly #folders: JobFolders;
  readonly #keepMs: number;
  readonly #counts = new LRUCache<string, Map<number, ChunkCounts>>({ max: maxRemembered });

  /** `keepMs` is how long an ended job is kept. */
  constructor(folders: JobFolders, keepMs: number) {
    this.#folders = folders;
    this.#keepMs = keepMs;
  }

  /** Undefined if there is no such job. */
  async read(name: string): Promise<Job | undefined> {
    // A job may end, and its folder move, between two reads.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const open = this.#folders.open(name);
      const record = await readRecord(open);
      if (record !== undefined) {
        const end = await readEnd(open);
        // Files of results that were counted before may have been removed since.
        if (end !== undefined) this.#counts.delete(open);
        const job = await (end === undefined
          ? this.#readOpen(open, record)
          : this.#readEnded(open, record, end));
        if ((await ifThere(stat(open))) !== undefined) return job;
      }
      const ended = this.#folders.ended(name);
      const [last, end] = [await readRecord(ended), await readEnd(ended)];
      if (last === undefined || end === undefined) continue;
      // It is removed soon.
      if (Date.now() - end.endedAt >= this.#keepMs) return undefined;
      return await this.#readEnded(ended, last, end);
    }
    return undefined;
  }

  /** Whether rows of an open job have been run. */
  async hasBegun(name: string): Promise<boolean> {
    return (await findClaims(this.#folders.open(name))) !== undefined;
  }

  /** The jobs of an owner, the latest first, from the one after `before`. A damaged job does not hide the others. */
  async list(
    owner: string,
    limit: number,
    before: string | undefined,
    onDamaged: (error: unknown) => void,
  ): Promise<readonly Job[]> {
    const ending = `.${tagOfOwner(owner)}`;
    const folders = [this.#folders.open(), this.#folders.ended()];
    const jobs: Job[] = [];
    // Some names have no job to show, so that more are looked for.
    for (let from = before; ; ) {
      const names = await findLatestNames(folders, { ending, before: from, limit: namesAtOnce });
      for (const name of names) {
        const job = await this.read(name).catch(onDamaged);
        if (job) jobs.push(job);
        if (jobs.length === limit) return jobs;
      }
      if (names.length < namesAtOnce) return jobs;
      from = names.at(-1);
    }
  }

  /** The result lines of a chunk; undefined if it has not been answered. Throws `DamagedJobError`. */
  async readResults(name: string, chunk: number): Promise<Buffer | undefined> {
    for (const folder of [this.#folders.open(name), this.#folders.ended(name)]) {
      const lines = await readResultLines(folder, chunk);
      if (lines !== undefined) return lines;
    }
    return undefined;
  }

  /** Ends a job, and returns it; undefined if it is not open, or if another process ends it. */
  async end(name: string, state: EndState, failure?: JobFailure): Promise<Job | undefined> {
    const folder = this.#folders.open(name);
    const record = await readRecord(folder);
    if (record === undefined) return undefined;
    // These counts are final. They are taken before `beginEnd`: for many chunks that takes longer than others wait.
    const counts = state === 'completed' ? await this.#count(folder).catch(() => undefined) : undefined;
    if (!(await beginEnd(folder))) return undefined;
    const startedAt = await readStart(folder, record);
    const isShort = state === 'completed' && (await listAnswered(folder)).length < record.chunks.length;
    const end: JobEnd = {
      state,
      endedAt: Math.max(Date.now(), startedAt ?? 0),
      ...(startedAt !== undefined && { startedAt }),
      ...(counts && !isShort && { counts }),
      ...(failure && { failure }),
      ...(isShort && lostResults),
    };
    // A process that was killed here has ended the job: the next one moves the folder.
    const written = (await readEnd(folder)) ?? end;
    if (written === end && (await ifThere(writeEnd(folder, end).then(() => true))) === undefined)
      return undefined;
    const target = this.#folders.ended(name);
    if ((await ifThere(rename(folder, target).then(() => true))) === undefined) return undefined;
    await syncFolder(this.#folders.ended());
    this.#counts.delete(folder);
    // From here on no process writes results of the job.
    const last = { ...written, counts: written.counts ?? (await this.#count(target).catch(() => noCounts)) };
    // A process that has waited for too long may have written another end before the move.
    const stored = await readEnd(target).catch(() => undefined);
    if (JSON.stringify(stored) !== JSON.stringify(last)) await writeEnd(target, last);
    // Only the results are needed from now on.
    await removeDrafts(target);
    await ifThere(unlink(join(target, 'rows.ndjson')));
    for (const part of ['claims', 'ending']) await removeFolder(join(target, part));
    return await this.#readEnded(target, record, last);
  }

  async #readOpen(folder: string, record: JobRecord): Promise<Job> {
    const startedAt = await readStart(folder, record);
    const state = startedAt === undefined ? 'queued' : 'running';
    return { ...specOf(record), state, startedAt, ...(await this.#count(folder)) };
  }

  async #readEnded(folder: string, record: JobRecord, end: JobEnd): Promise<Job> {
    const { counts = await this.#count(folder), failure, ...rest } = end;
    const shown = failure && { code: toErrorCode(failure.code), detail: failure.detail };
    return { ...specOf(record), ...rest, ...counts, failure: shown };
  }

  async #count(folder: string): Promise<Pick<Job, 'completedRows' | 'failedRows'>> {
    let known = this.#counts.get(folder);
    if (known === undefined) {
      known = new Map();
      this.#counts.set(folder, known);
    }
    for (const chunk of await listAnswered(folder)) {
      if (known.has(chunk)) continue;
      const counts = await readCounts(folder, chunk);
      if (counts !== undefined) known.set(chunk, counts);
    }
    let [completedRows, failedRows] = [0, 0];
    for (const { completed, failed } of known.values()) {
      completedRows += completed;
      failedRows += failed;
    }
    return { completedRows, failedRows };
  }
}

const noCounts = { completedRows: 0, failedRows: 0 };

/** The end of a job whose files of results were removed while it ran. */
const lostResults = {
  state: 'failed' as const,
  failure: { code: 'internal', detail: 'Stored results of the job are gone.' },
};

/** A process that ends a job needs some milliseconds: one that takes longer was killed. */
const maxEndMs = 2_000;
const lookMs = 20;

/** Returns true for the one process that is to end a job; the others wait for it. */
async function beginEnd(folder: string): Promise<boolean> {
  const mark = join(folder, 'ending');
  for (let waited = 0; waited < maxEndMs; waited += lookMs) {
    try {
      await mkdir(mark, { mode: 0o700 });
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    await pause(lookMs);
  }
  return true;
}

/** `rm` alone takes some calls of the system more, and the folder is empty as a rule. */
async function removeFolder(folder: string): Promise<void> {
  await rmdir(folder).catch(async () => {
    await rm(folder, { recursive: true, force: true });
  });
}

/** When the first chunk was claimed: the folder of claims is created then. */
async function readStart(folder: string, { acceptedAt }: JobRecord): Promise<number | undefined> {
  const stats = await findClaims(folder);
  // The clock of a file system may be some milliseconds behind.
  return stats && Math.max(acceptedAt, Math.floor(stats.birthtimeMs));
}

function findClaims(folder: string): Promise<Stats | undefined> {
  return ifThere(stat(join(folder, 'claims')));
}

function specOf(record: JobRecord) {
  const { id, owner, model, version, identity, requestId, trace, acceptedAt, chunks } = record;
  return { id, owner, model, version, identity, requestId, trace, acceptedAt, chunks };
}
