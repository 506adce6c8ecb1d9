import { finished, Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { addVary } from '../http/vary.js';
import type { BatchAnswer } from '../jobs/answer-now.js';
import type { BatchShare } from '../jobs/batch-memory.js';
import { countRows, type Job } from '../jobs/queue/job.js';
import { toCsv } from '../jobs/queue/result-csv.js';
import { toJsonItems } from '../jobs/queue/result-json.js';
import { readResultLines } from '../jobs/queue/result-reader.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { toBatchHead } from '../schemas/batch.js';
import { columnsOf } from './csv-columns.js';
import { csvType } from './send-results.js';

/** The types of an answer that has results: the whole batch, or the results alone. */
export const answerTypes = ['application/json', 'application/x-ndjson', 'text/csv'] as const;
export type AnswerType = (typeof answerTypes)[number];

/** A client must have read its answer in this time: meanwhile it holds memory. */
const maxSendMs = 60_000;
/** Answers up to this size are sent at once. */
const maxWholeBytes = 262_144;
const end = Buffer.from(']}');
const jsonType = 'application/json; charset=utf-8';

/**
 * The answer as a stream, or as bytes. Its results are in memory, and the batch has its share of it, until it has been
 * sent: texts with commas between for `application/json`, lines for the others. Throws `invalid_request` for tensors as
 * CSV.
 */
export async function sendAnswer(
  reply: FastifyReply,
  loaded: LoadedVersion,
  { rows, failed, results }: BatchAnswer,
  share: BatchShare,
  type: AnswerType,
): Promise<Readable | Buffer> {
  const { name: model, version } = loaded;
  const { raw } = reply;
  const timer = setTimeout(() => raw.destroy(), maxSendMs);
  finished(raw, () => {
    clearTimeout(timer);
    share.release();
  });
  addVary(reply, 'accept');
  if (type === 'text/csv') {
    const text = toCsv(Readable.from(results), columnsOf(loaded));
    reply.header('content-type', csvType);
    return Readable.from(text, { objectMode: false });
  }
  const isWhole = type === 'application/json';
  const head = Buffer.from(toBatchHead({ model, version, rows, failed }));
  const pieces = isWhole ? [head, ...results, end] : results;
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  reply.header('content-type', isWhole ? jsonType : type).header('content-length', bytes);
  // A stream takes 0.1 ms more than bytes.
  if (bytes <= maxWholeBytes) return Buffer.concat(pieces, bytes);
  return Readable.from(pieces, { objectMode: false });
}

/** The answer from the stored results of a job, as `application/json`. Throws `overloaded`. */
export function sendStored(
  { jobs, resultReaders }: FastifyInstance,
  reply: FastifyReply,
  job: Job,
): Readable {
  resultReaders.take(reply.raw);
  const { model, version, failedRows: failed } = job;
  addVary(reply, 'accept');
  reply.header('content-type', jsonType);
  async function* pieces(): AsyncGenerator<string | Buffer> {
    yield toBatchHead({ model, version, rows: countRows(job), failed });
    yield* toJsonItems(readResultLines(jobs, job, 0));
    yield end;
  }
  return Readable.from(pieces(), { objectMode: false });
}
