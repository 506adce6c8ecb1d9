import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';
import { batchTypes, openBatchBody } from '../http/batch-body.js';
import { discardBody } from '../http/discard-body.js';
import { readPredictionRequest } from '../http/prediction-request.js';
import { createInstancesReader } from '../jobs/instances-reader.js';
import { createLineReader } from '../jobs/line-reader.js';
import { readWait } from '../jobs/prefer.js';
import { readBatch } from '../jobs/read-batch.js';
import { type BatchWriter, createBatchWriter, type HeldResults } from '../schemas/batch.js';

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
/** Batches that are answered at the same time. Each holds two chunks of rows, 4 MB at most. */
const maxAtOnce = 4;

/** Many rows in one request. A row that fails costs no other row its answer. */
const batchRoutes: FastifyPluginAsync<BatchRouteOptions> = async (app, options) => {
  let running = 0;
  const held: HeldResults = { length: 0 };
  app.removeAllContentTypeParsers();
  // The body stays a stream: it is never held whole.
  app.addContentTypeParser([...batchTypes], (_request, _payload, done) => done(null));
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<string> => {
    if (running >= maxAtOnce) {
      const detail = `The server is answering ${maxAtOnce} batches.`;
      throw new ServiceError('overloaded', { detail, retryAfterSeconds: 1 });
    }
    running += 1;
    const writer = createBatchWriter(options.showsProblems, held);
    try {
      return await predictBatch(app, request, reply, options, writer);
    } catch (error) {
      // A connection that is closed while the client still sends is reset, and the client does not see the error.
      await discardBody(request.raw, reply.raw);
      throw error;
    } finally {
      running -= 1;
      writer.release();
    }
  };
  const config = { scope: 'predict', documentedBody: { $ref: 'BatchRequest#' } } as const;
  const describe = (operationId: string, whose: string) => ({
    operationId,
    summary: `Predict many rows with ${whose}`,
    description:
      'Each row is answered by itself: a row that fails costs no other row its answer. As `application/x-ndjson` each line is a row. The body may be compressed with gzip.',
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

async function predictBatch(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  options: BatchRouteOptions,
  writer: BatchWriter,
): Promise<string> {
  const asked = readPredictionRequest(app, request);
  const { isLines, bytes } = openBatchBody(request.raw);
  const wait = readWait(request.headers['prefer']);
  const seconds = Math.min(wait ?? defaultWait, maxWait);
  const rowBounds = { maxRowBytes: options.BODY_LIMIT_BYTES };
  const reader = isLines ? createLineReader(rowBounds) : createInstancesReader(rowBounds);
  const bounds = { maxBytes: options.BATCH_BODY_LIMIT_BYTES, maxRows: options.BATCH_MAX_ROWS };
  const answering = await app.batchPredictor
    .predict(
      { ...asked, limitMs: 1_000 * seconds },
      (loaded) => readBatch(bytes, reader, bounds, loaded, isLines),
      writer.add,
    )
    .catch((error: unknown) => {
      if (!(error instanceof ServiceError) || error.code !== 'deadline_exceeded') throw error;
      // Without `Retry-After`: the same batch would take as long again.
      const detail =
        'Not all rows were answered in time: send fewer rows, or `prefer: wait=N` with more seconds.';
      throw new ServiceError('deadline_exceeded', { detail, cause: error });
    });
  reply.header('content-type', 'application/json; charset=utf-8');
  if (wait !== undefined) reply.header('preference-applied', `wait=${seconds}`);
  return writer.toText(answering);
}

export default batchRoutes;
