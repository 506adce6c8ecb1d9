import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ChunkSize } from '../queue/job.js';
import type { ChunkRows, FilePart } from '../queue/job-store.js';
import { DamagedJobError, GoneJobError } from '../queue/refusals.js';
import { ifThere } from './job-folders.js';

/**
 * The head of a file of results: the two counts and the bytes of the lines. It is filled up with spaces, so that it can
 * be read without the rest.
 */
const headBytes = 48;
const rowsName = 'rows.ndjson';

export interface ChunkCounts {
  readonly completed: number;
  readonly failed: number;
}

/** Writes the rows of a draft, one chunk after another. */
export async function openRows(folder: string): Promise<FileHandle> {
  return await open(join(folder, rowsName), 'wx', 0o600);
}

export interface ChunkPlace extends ChunkSize {
  /** The first row, and the first byte in the file of rows. */
  readonly firstRow: number;
  readonly firstByte: number;
}

export function placeChunks(chunks: readonly ChunkSize[]): readonly ChunkPlace[] {
  let [firstRow, firstByte] = [0, 0];
  return chunks.map(({ rows, bytes }) => {
    const place = { rows, bytes, firstRow, firstByte };
    firstRow += rows;
    firstByte += bytes;
    return place;
  });
}

export function partOf(folder: string, { rows, bytes, firstByte }: ChunkPlace): FilePart {
  return { path: join(folder, rowsName), count: rows, from: firstByte, bytes };
}

/** The rows of a chunk, which are read when they are wanted, into a buffer of at least their length. */
export function locateRows(
  part: FilePart,
  allocate: (bytes: number) => Buffer = Buffer.allocUnsafe,
): ChunkRows {
  return { count: part.count, bytes: part.bytes, part, load: () => readPart(part, allocate) };
}

/** Whether a job still has its rows: not if its folder is gone. Throws `DamagedJobError` if only its rows are gone. */
export async function hasRows(folder: string): Promise<boolean> {
  if ((await ifThere(stat(join(folder, rowsName)))) !== undefined) return true;
  if ((await ifThere(stat(folder))) === undefined) return false;
  throw new DamagedJobError('the stored rows of a job are gone');
}

async function readPart(
  { path, from, bytes }: FilePart,
  allocate: (bytes: number) => Buffer,
): Promise<Buffer> {
  const file = await ifThere(open(path, 'r'));
  if (file === undefined) {
    await hasRows(dirname(path));
    throw new GoneJobError();
  }
  try {
    // Before the memory for them is taken: the record of a job may be damaged, too.
    if ((await file.stat()).size < from + bytes)
      throw new DamagedJobError('the stored rows of the job are damaged');
    return await readBytes(file, bytes, from, allocate(bytes));
  } finally {
    await file.close();
  }
}

/** A new file for the results of a chunk, which `keepDraft` makes valid. */
export function draftOf(folder: string): string {
  return join(folder, 'results', `.${randomUUID()}`);
}

/** Writes the results of a chunk, which survive a power cut. Throws `GoneJobError` if the job's folder is not there. */
export async function writeDraft(
  draft: string,
  lines: Buffer,
  { completed, failed }: ChunkCounts,
): Promise<void> {
  const created = await ifThere(createDraft(draft));
  if (created === undefined) throw new GoneJobError();
  try {
    // Not `writev`, which writes a part of the bytes if the disk is full, and throws nothing.
    await created.writeFile(`${completed} ${failed} ${lines.length}`.padEnd(headBytes - 1).concat('\n'));
    await created.writeFile(lines);
    await created.datasync();
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await created.close();
  }
}

/**
 * Makes a draft the results of a chunk. `earlier`: another process has written them, and its results stay. `gone`: the
 * job's folder is not there any more.
 */
export async function keepDraft(
  folder: string,
  chunk: number,
  draft: string,
): Promise<'written' | 'earlier' | 'gone'> {
  if ((await readCounts(folder, chunk)) !== undefined) {
    await rm(draft, { force: true });
    return 'earlier';
  }
  return (await ifThere(rename(draft, pathOf(folder, chunk)).then(() => 'written' as const))) ?? 'gone';
}

async function createDraft(draft: string): Promise<FileHandle> {
  return await open(draft, 'wx', 0o600).catch(async () => {
    await mkdir(dirname(draft), { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    return await open(draft, 'wx', 0o600);
  });
}

/** Undefined if the chunk has no results yet. */
export async function readCounts(folder: string, chunk: number): Promise<ChunkCounts | undefined> {
  const file = await ifThere(open(pathOf(folder, chunk), 'r'));
  if (file === undefined) return undefined;
  try {
    return readHead(await readBytes(file, headBytes, 0));
  } finally {
    await file.close();
  }
}

/** The result lines of a chunk; undefined if it has none yet. */
export async function readResultLines(folder: string, chunk: number): Promise<Buffer | undefined> {
  const file = await ifThere(open(pathOf(folder, chunk), 'r'));
  if (file === undefined) return undefined;
  try {
    const head = await readBytes(file, headBytes, 0);
    const { bytes } = readHead(head);
    if ((await file.stat()).size !== headBytes + bytes) throw damagedResults();
    // Not `readFile`, which reads pieces and copies them: twice the garbage of the server's thread.
    const lines = await readBytes(file, bytes, headBytes);
    if (lines.length < bytes) throw damagedResults();
    return lines;
  } finally {
    await file.close();
  }
}

/**
 * Fewer bytes only if the file ends before. One call may read fewer: before a bad sector, the system returns the bytes
 * up to it, and the next call fails.
 */
async function readBytes(
  file: FileHandle,
  bytes: number,
  from: number,
  buffer: Buffer = Buffer.allocUnsafe(bytes),
): Promise<Buffer> {
  let at = 0;
  while (at < bytes) {
    const { bytesRead } = await file.read(buffer, at, bytes - at, from + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return buffer.subarray(0, at);
}

function readHead(head: Buffer): ChunkCounts & { readonly bytes: number } {
  const [, completed, failed, bytes] = /^(\d+) (\d+) (\d+) *\n$/.exec(head.toString('latin1')) ?? [];
  if (completed === undefined) throw damagedResults();
  return { completed: Number(completed), failed: Number(failed), bytes: Number(bytes) };
}

function damagedResults(): DamagedJobError {
  return new DamagedJobError('the stored results of a job are damaged');
}

/** Removes what processes that were stopped or killed have left. No process makes a draft valid after the job has ended. */
export async function removeDrafts(folder: string): Promise<void> {
  const names = (await ifThere(readdir(join(folder, 'results')))) ?? [];
  for (const name of names)
    if (name.startsWith('.')) await rm(join(folder, 'results', name), { force: true });
}

/** The chunks that have results. */
export async function listAnswered(folder: string): Promise<readonly number[]> {
  const names = (await ifThere(readdir(join(folder, 'results')))) ?? [];
  return names.filter((name) => /^\d{6,}$/.test(name)).map(Number);
}

function pathOf(folder: string, chunk: number): string {
  return join(folder, 'results', String(chunk).padStart(6, '0'));
}
