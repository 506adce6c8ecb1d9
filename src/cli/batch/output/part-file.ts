import { rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, RefusedError } from '../../../errors.js';
import { syncFolder } from '../../../files/replace-file.js';
import { createResumeFile, type ResumePoint, type RunIdentity, refuseInUse } from './resume-file.js';
import { openFileSink, type Sink } from './sink.js';

const saveMs = 1_000;

/** The output of a run while it is not complete: `FILE.part`, and beside it how far the run has come. */
export interface PartFile {
  readonly path: string;
  readonly sink: Sink;
  /** Where an earlier run stopped; undefined at the start. */
  readonly point: ResumePoint | undefined;
  readonly canResume: boolean;
  /** Whether the last `save` was long ago. */
  readonly isDue: boolean;
  /** Brings the output to the disk, and then the point. */
  save(point: Omit<ResumePoint, 'bytes'>): Promise<void>;
  /** Gives the complete output its name. */
  complete(): Promise<void>;
  /** Closes the file, and removes it if no later run can go on with it. */
  close(): Promise<void>;
}

export interface PartOptions {
  /** Undefined if the input cannot be read again. */
  readonly identity: RunIdentity | undefined;
  readonly isForced: boolean;
  readonly isRestart: boolean;
}

/** Throws `RefusedError` if the file is there, its folder is not, or an earlier part belongs to another run. */
export async function openPart(
  out: string,
  { identity, isForced, isRestart }: PartOptions,
): Promise<PartFile> {
  if (!isForced) await refuseExisting(out);
  const folder = dirname(resolve(out));
  if (!(await exists(folder))) throw new RefusedError(`--out: the folder ${folder} is not there`);
  const path = `${out}.part`;
  await refuseInUse(path);
  const resume = identity && createResumeFile(path, identity);
  if (isRestart) await removePart(path);
  const point = await resume?.read();
  if (resume === undefined && (await exists(path))) {
    throw new RefusedError(`${path} is there from another run: remove it, or --restart begins anew`);
  }
  if (point === undefined) {
    await resume?.write({
      rows: 0,
      bytes: 0,
      columns: null,
      failures: { count: 0, reasons: [] },
      state: null,
    });
  }
  const sink = await openFileSink(path, point?.bytes ?? 0);
  let savedAt = performance.now();
  let isComplete = false;
  let isWorthKeeping = point !== undefined;
  return {
    path,
    sink,
    point,
    canResume: resume !== undefined,
    get isDue() {
      return resume !== undefined && performance.now() - savedAt >= saveMs;
    },
    async save(next) {
      await sink.sync();
      await resume?.write({ ...next, bytes: sink.bytes });
      isWorthKeeping = resume !== undefined && next.rows > 0;
      savedAt = performance.now();
    },
    async complete() {
      await sink.sync();
      if (!isForced) await refuseExisting(out);
      await rename(path, out);
      isComplete = true;
      await resume?.remove();
      await syncFolder(dirname(out));
    },
    async close() {
      await sink.close();
      if (!isComplete && !isWorthKeeping) await removePart(path);
    },
  };
}

async function refuseExisting(out: string): Promise<void> {
  if (await exists(out)) throw new RefusedError(`${out} is there: --force replaces it`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function removePart(path: string): Promise<void> {
  await rm(`${path}.json`, { force: true });
  await rm(path, { force: true });
}
