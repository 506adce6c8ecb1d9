import { hasEnded, type Job } from './job.js';
import type { JobStore } from './job-store.js';

const newline = 0x0a;

/**
 * The result lines of a job in the order of its rows, from the row `offset` on, a piece a chunk. While the job runs they
 * end before the first chunk without results; once it has ended such chunks are left out.
 */
export async function* readResultLines(store: JobStore, job: Job, offset: number): AsyncGenerator<Buffer> {
  let firstRow = 0;
  for (const [chunk, { rows }] of job.chunks.entries()) {
    const skipped = Math.max(0, offset - firstRow);
    firstRow += rows;
    if (skipped >= rows) continue;
    const lines = await store.readResults(job, chunk);
    if (lines === undefined && !hasEnded(job)) return;
    if (lines !== undefined && lines.length > 0) yield lines.subarray(findLine(lines, skipped));
  }
}

/** Where the line of a number begins. */
function findLine(lines: Buffer, number: number): number {
  let start = 0;
  for (let line = 0; line < number; line += 1) start = lines.indexOf(newline, start) + 1;
  return start;
}

/** Up to `limit` result lines, and the offset of the next ones. */
export async function takeResults(
  store: JobStore,
  job: Job,
  offset: number,
  limit: number,
): Promise<{ readonly lines: readonly string[]; readonly hasMore: boolean }> {
  const lines: string[] = [];
  for await (const piece of readResultLines(store, job, offset)) {
    for (let start = 0; start < piece.length; ) {
      if (lines.length === limit) return { lines, hasMore: true };
      const end = piece.indexOf(newline, start);
      lines.push(piece.toString('utf8', start, end));
      start = end + 1;
    }
  }
  return { lines, hasMore: false };
}
