import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { chooseType } from '../http/accepted-type.js';
import { sendHead } from '../http/send-head.js';
import { addVary } from '../http/vary.js';
import type { Job } from '../jobs/queue/job.js';
import { toCsv } from '../jobs/queue/result-csv.js';
import { readResultLines } from '../jobs/queue/result-reader.js';

export const csvType = 'text/csv; charset=utf-8; header=present';

/**
 * Sends the results of a job from the row `offset` on as a stream: as NDJSON, or as CSV if the client asks for it,
 * compressed if it accepts gzip. For HEAD nothing is read. Throws `overloaded`, and what the reading of the first bytes
 * throws.
 */
export async function sendResults(
  { jobs, resultReaders }: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  job: Job,
  offset: number,
): Promise<FastifyReply> {
  const isCsv = chooseType(request.headers.accept, ['application/x-ndjson', 'text/csv']) === 'text/csv';
  const isPacked = acceptsGzip(request);
  const headers = {
    'content-type': isCsv ? csvType : 'application/x-ndjson',
    'x-job-status': job.state,
    ...(isPacked && { 'content-encoding': 'gzip' }),
  };
  if (request.method === 'HEAD') {
    addVary(reply, 'accept', 'accept-encoding');
    return sendHead(reply.headers(headers));
  }
  resultReaders.take(reply.raw);
  const open = () => readResultLines(jobs, job, offset);
  // An error before the first bytes gets an answer of its own, without these headers.
  const lines = Readable.from(await begun<Buffer | string>(isCsv ? toCsv(open) : open()), {
    objectMode: false,
  });
  addVary(reply, 'accept', 'accept-encoding');
  reply.headers(headers);
  if (!isPacked) return reply.send(lines);
  const packed = lines.on('error', (error) => packed.destroy(error)).pipe(createGzip());
  return reply.send(packed);
}

/** The same pieces, of which the first one has been read. Throws what the reading of the first one throws. */
export async function begun<T>(pieces: AsyncGenerator<T>): Promise<AsyncIterable<T>> {
  const first = await pieces.next();
  async function* all(): AsyncGenerator<T> {
    if (first.done) return;
    yield first.value;
    yield* pieces;
  }
  return all();
}

function acceptsGzip({ headers }: FastifyRequest): boolean {
  return /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(
    headers['accept-encoding'] ?? '',
  );
}
