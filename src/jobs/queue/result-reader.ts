import { hasEnded, type Job } from './job.js';
import type { JobStore } from './job-store.js';
import { DamagedJobError } from './refusals.js';

const newline = 0x0a;

/** Results of rows that follow each other, a line each. */
export interface ResultPiece {
  /** The index of the first row. */
  readonly firstRow: number;
  readonly lines: Buffer;
}

/**
 * The results of a job in the order of its rows, from the row `offset` on, a piece a chunk. While the job runs they end
 * before the first chunk without results. Such chunks are left out of a job that was cancelled, or has failed. Throws
 * `DamagedJobError` if a completed job lacks one: results that end without an error are all of them.
 */
export async function* readResultPieces(
  store: JobStore,
  job: Job,
  offset: number,
): AsyncGenerator<ResultPiece> {
  let firstRow = 0;
  for (const [chunk, { rows }] of job.chunks.entries()) {
    const skipped = Math.max(0, offset - firstRow);
    firstRow += rows;
    if (skipped >= rows) continue;
    const lines = await store.readResults(job, chunk);
    if (lines === undefined && !hasEnded(job)) return;
    if (lines === undefined && job.state === 'completed')
      throw new DamagedJobError('results of a completed job are gone, or the job has expired meanwhile');
    if (lines === undefined || lines.length === 0) continue;
    yield { firstRow: firstRow - rows + skipped, lines: lines.subarray(findLine(lines, skipped)) };
  }
}

/** As `readResultPieces`, the lines alone. */
export async function* readResultLines(store: JobStore, job: Job, offset: number): AsyncGenerator<Buffer> {
  for await (const { lines } of readResultPieces(store, job, offset)) yield lines;
}

/** Where the line of a number begins. */
function findLine(lines: Buffer, number: number): number {
  let start = 0;
  for (let line = 0; line < number; line += 1) {
    const end = lines.indexOf(newline, start);
    if (end < 0) return lines.length;
    start = end + 1;
  }
  return start;
}

/** A page is one text in memory, and ends before more bytes: a row of a tensor model may have a megabyte of results. */
const maxPageBytes = 8_388_608;

/** Up to `limit` result lines, fewer if they are long, and the offset of the next ones if there are more. */
export async function takeResults(
  store: JobStore,
  job: Job,
  offset: number,
  limit: number,
): Promise<{ readonly lines: readonly string[]; readonly next: number | undefined }> {
  const lines: string[] = [];
  let bytes = 0;
  for await (const { firstRow, lines: piece } of readResultPieces(store, job, offset)) {
    let row = firstRow;
    for (let start = 0; start < piece.length; row += 1) {
      const found = piece.indexOf(newline, start);
      const end = found < 0 ? piece.length : found;
      bytes += end - start;
      const isFull = lines.length === limit || (lines.length > 0 && bytes > maxPageBytes);
      if (isFull) return { lines, next: row };
      lines.push(piece.toString('utf8', start, end));
      start = end + 1;
    }
  }
  return { lines, next: undefined };
}
