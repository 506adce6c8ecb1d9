import { finished, Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { BatchAnswer } from '../jobs/answer-now.js';
import type { BatchShare } from '../jobs/batch-memory.js';
import { countRows, type Job } from '../jobs/queue/job.js';
import type { JobStore } from '../jobs/queue/job-store.js';
import { readResultLines } from '../jobs/queue/result-reader.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { toBatchHead } from '../schemas/batch.js';

/** A client must have read its answer in this time: meanwhile it holds memory. */
const maxSendMs = 60_000;
/** Answers up to this size are sent at once. */
const maxWholeBytes = 262_144;
const end = Buffer.from(']}');

/** The answer as a stream. Its results are in memory, and the batch has its share of it, until it has been sent. */
export function sendAnswer(
  reply: FastifyReply,
  { name: model, version }: LoadedVersion,
  { rows, failed, results }: BatchAnswer,
  share: BatchShare,
): Readable | Buffer {
  const { raw } = reply;
  const timer = setTimeout(() => raw.destroy(), maxSendMs);
  finished(raw, () => {
    clearTimeout(timer);
    share.release();
  });
  const head = toBatchHead({ model, version, rows, failed });
  const bytes = results.reduce((sum, { length }) => sum + length, Buffer.byteLength(head) + 2);
  reply.header('content-type', 'application/json; charset=utf-8').header('content-length', bytes);
  // A stream takes 0.1 ms more than bytes.
  if (bytes <= maxWholeBytes) return Buffer.concat([Buffer.from(head), ...results, end], bytes);
  return Readable.from([head, ...results, end], { objectMode: false });
}

/** The answer from the stored results of a job. */
export function sendStored(jobs: JobStore, reply: FastifyReply, job: Job): Readable {
  const { model, version, failedRows: failed } = job;
  reply.header('content-type', 'application/json; charset=utf-8');
  async function* pieces(): AsyncGenerator<string> {
    yield toBatchHead({ model, version, rows: countRows(job), failed });
    let comma = '';
    for await (const lines of readResultLines(jobs, job, 0)) {
      yield comma + lines.toString('utf8', 0, lines.length - 1).replaceAll('\n', ',');
      comma = ',';
    }
    yield ']}';
  }
  return Readable.from(pieces(), { objectMode: false });
}
