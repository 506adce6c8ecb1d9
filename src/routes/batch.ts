import { finished, Readable } from 'node:stream';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';
import { batchTypes, openBatchBody } from '../http/batch-body.js';
import { discardBody } from '../http/discard-body.js';
import { readPredictionRequest } from '../http/prediction-request.js';
import { BatchLimits, type BatchResults } from '../jobs/batch-results.js';
import { readWait } from '../jobs/prefer.js';
import { readBatch, refuseLargeBody } from '../jobs/read-batch.js';
import { createRowReader } from '../jobs/readers/create-row-reader.js';
import { toBatchHead, toResultsText } from '../schemas/batch.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body of a route that reads it as a stream: for the OpenAPI document alone. */
    documentedBody?: Readonly<Record<string, unknown>>;
  }
}

export interface BatchRouteOptions {
  readonly BATCH_BODY_LIMIT_BYTES: number;
  readonly BATCH_MAX_ROWS: number;
  readonly BODY_LIMIT_BYTES: number;
  /** Whether the error of a row lists its problems. */
  readonly showsProblems: boolean;
}

/** The time for an answer, in seconds, if the client does not say `Prefer: wait=N`, and the longest that it may say. */
const defaultWait = 30;
const maxWait = 300;
/** A client must have read its answer in this time: meanwhile it takes the place of another batch. */
const maxSendMs = 60_000;

/** Many rows in one request. A row that fails costs no other row its answer. */
const batchRoutes: FastifyPluginAsync<BatchRouteOptions> = async (app, options) => {
  const limits = new BatchLimits();
  app.removeAllContentTypeParsers();
  // The body stays a stream: it is never held whole.
  app.addContentTypeParser([...batchTypes], (_request, _payload, done) => done(null));
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<Readable> => {
    try {
      const wait = readWait(request.headers['prefer']);
      const seconds = Math.min(wait ?? defaultWait, maxWait);
      if (wait !== undefined) reply.header('preference-applied', `wait=${seconds}`);
      return await answerBatch(app, request, reply, { ...options, limits, limitMs: 1_000 * seconds });
    } catch (error) {
      // A connection that is closed while the client still sends is reset, and the client does not see the error.
      await discardBody(request.raw, reply.raw);
      if (!request.raw.complete) reply.header('connection', 'close');
      reply.removeHeader('preference-applied');
      throw error;
    }
  };
  const config = { scope: 'predict', documentedBody: { $ref: 'BatchRequest#' } } as const;
  const describe = (operationId: string, whose: string) => ({
    operationId,
    summary: `Predict many rows with ${whose}`,
    description:
      'Each row is answered by itself: a row that fails costs no other row its answer. As `application/x-ndjson` each line is a row, and as `text/csv` each record. The body may be compressed with gzip.',
    tags: ['batch'],
    response: { 200: { $ref: 'BatchAnswer#' } },
  });
  app.post(
    '/predict/batch',
    { schema: describe('predictBatch', 'the default model'), config: { ...config, model: 'default' } },
    answer,
  );
  app.post(
    '/models/:model/predict/batch',
    { schema: describe('predictBatchWithModel', 'a model'), config },
    answer,
  );
  app.post(
    '/models/:model/versions/:version/predict/batch',
    { schema: describe('predictBatchWithVersion', 'a version'), config },
    answer,
  );
};

interface Answering extends BatchRouteOptions {
  readonly limits: BatchLimits;
  readonly limitMs: number;
}

async function answerBatch(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  options: Answering,
): Promise<Readable> {
  const asked = readPredictionRequest(app, request);
  const maxBytes = options.BATCH_BODY_LIMIT_BYTES;
  // Before a byte of the body is read, and before a client that waits for `100 Continue` is invited to send it.
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw refuseLargeBody(maxBytes);
  const { format, bytes } = openBatchBody(request.raw);
  const rowBounds = { maxRowBytes: options.BODY_LIMIT_BYTES };
  const bounds = { maxBytes, maxRows: options.BATCH_MAX_ROWS };
  const { arrivedAt, timeoutMs = options.limitMs } = asked.caller;
  const closed = new AbortController();
  reply.raw.once('close', () => closed.abort());
  const results = options.limits.open(arrivedAt + Math.min(timeoutMs, options.limitMs), closed.signal);
  try {
    let [rows, failed] = [0, 0];
    const { model, version } = await app.batchPredictor.predict(
      { ...asked, limitMs: options.limitMs },
      (loaded) =>
        readBatch(bytes, createRowReader(format, rowBounds, loaded), bounds, loaded, format !== 'object'),
      (outcomes) => {
        const text = toResultsText(rows, outcomes, options.showsProblems);
        const isFirst = rows === 0;
        rows += outcomes.length;
        failed += outcomes.filter((it) => 'error' in it).length;
        return results.add(isFirst ? text : `,${text}`);
      },
    );
    return send(reply, toBatchHead({ model, version, rows, failed }), results);
  } catch (error) {
    results.release();
    throw explainDeadline(error);
  }
}

/** The answer as a stream. Its results are in memory, and the batch has its place, until it has been sent. */
function send(reply: FastifyReply, head: string, results: BatchResults): Readable {
  const { raw } = reply;
  const timer = setTimeout(() => raw.destroy(), maxSendMs);
  finished(raw, () => {
    clearTimeout(timer);
    results.release();
  });
  reply.header('content-type', 'application/json; charset=utf-8');
  reply.header('content-length', Buffer.byteLength(head) + results.bytes + 2);
  return Readable.from([head, ...results.pieces, ']}'], { objectMode: false });
}

/** A batch that has passed its limit has no `Retry-After`: the same rows would take as long again. */
function explainDeadline(error: unknown): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'deadline_exceeded') return error;
  const detail =
    'Not all rows were answered in time: send fewer rows, or `prefer: wait=N` with more seconds.';
  return new ServiceError('deadline_exceeded', { detail, cause: error });
}

export default batchRoutes;
