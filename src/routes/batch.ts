import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { chooseType } from '../http/accepted-type.js';
import { batchTypes, openBatchBody, refuseType } from '../http/body/batch-body.js';
import { discardBody } from '../http/body/discard-body.js';
import { readPredictionRequest } from '../http/prediction-request.js';
import { acceptJob, readIdempotencyKey, waitForJob } from '../jobs/accept-job.js';
import { answerNow, type ToResultsText } from '../jobs/answer-now.js';
import { BatchMemory, type BatchShare } from '../jobs/batch-memory.js';
import { readWait } from '../jobs/prefer.js';
import { readRows, refuseLargeBody } from '../jobs/read-rows.js';
import { createRowReader } from '../jobs/readers/create-row-reader.js';
import { Submission } from '../jobs/submission.js';
import { toResultLines, toResultsText } from '../schemas/batch.js';
import { toJobAnswer } from '../schemas/job.js';
import { ownerOf } from './job-owner.js';
import { answerTypes, sendAnswer, sendStored } from './send-batch.js';
import { sendResults } from './send-results.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The types of a body that the route reads as a stream, and their schemas: for the OpenAPI document alone. */
    documentedBody?: Readonly<Record<string, unknown>>;
  }
}

export interface BatchRouteOptions {
  readonly BATCH_BODY_LIMIT_BYTES: number;
  readonly BATCH_MAX_ROWS: number;
  readonly BODY_LIMIT_BYTES: number;
  readonly JOB_TTL_SECONDS: number;
  /** Whether the error of a row lists its problems. */
  readonly showsProblems: boolean;
}

const headers = Type.Object({
  prefer: Type.Optional(
    Type.String({
      description: '`wait=N`: the answer has the results if they come within N seconds (RFC 7240)',
    }),
  ),
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x20-\\x7e]+$',
      description: 'A second request with the same key and rows answers with the first job',
    }),
  ),
});
const answered = {
  description: 'The results',
  content: {
    'application/json': { schema: { $ref: 'BatchAnswer#' } },
    'application/x-ndjson': { schema: { type: 'string' } },
    'text/csv': { schema: { type: 'string' } },
  },
};
const accepted = {
  headers: { location: { type: 'string', description: 'The address of the job' } },
  content: { 'application/json': { schema: { $ref: 'Job#' } } },
};

/** The longest time that a client may ask to wait, in seconds. */
const maxWait = 300;

/** Many rows in one request: answered later, as a job, or at once if the client prefers to wait. */
const batchRoutes: FastifyPluginAsync<BatchRouteOptions> = async (app, options) => {
  const memory = new BatchMemory();
  // The headers are described in the document; `readIdempotencyKey` and `readWait` check them.
  app.setValidatorCompiler(() => () => true);
  app.removeAllContentTypeParsers();
  // The body stays a stream: it is never held whole.
  app.addContentTypeParser([...batchTypes], (_request, _payload, done) => done(null));
  app.addContentTypeParser('*', (_request, _payload, done) => done(refuseType()));
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    try {
      const wait = readWait(request.headers['prefer']);
      const seconds = Math.min(wait ?? 0, maxWait);
      if (wait !== undefined) reply.header('preference-applied', `wait=${seconds}`);
      return await answerBatch(app, request, reply, { ...options, memory, waitMs: 1_000 * seconds });
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
      'The rows are kept as a job, which `location` names. With `prefer: wait=N` the answer has the results if they come within N seconds. Each row is answered by itself: a row that fails costs no other row its answer. As `application/x-ndjson` each line is a row; as `text/csv` the first line has the names of the features. The body may be compressed with gzip. Results that come in the answer are those alone, as lines or as CSV, if `accept` prefers `application/x-ndjson` or `text/csv`.',
    tags: ['batch'],
    headers,
    response: { 200: answered, 202: { description: 'The job', ...accepted } },
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
  readonly memory: BatchMemory;
  readonly waitMs: number;
}

async function answerBatch(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  options: Answering,
): Promise<unknown> {
  const asked = readPredictionRequest(app, request);
  const maxBytes = options.BATCH_BODY_LIMIT_BYTES;
  // Before a byte of the body is read, and before a client that waits for `100 Continue` is invited to send it.
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw refuseLargeBody(maxBytes);
  const key = readIdempotencyKey(request.headers['idempotency-key']);
  const { format, bytes } = openBatchBody(request.raw);
  const type = chooseType(request.headers.accept, answerTypes);
  const loaded = app.registry.lease(asked.model, asked.version);
  // Also held while the rows are stored: until then they are in memory.
  let share: BatchShare | undefined;
  try {
    const reader = createRowReader(format, { maxRowBytes: options.BODY_LIMIT_BYTES }, loaded);
    const rowLimit = app.rowLimitOf(request, reply);
    const rows = readRows(bytes, reader, { maxBytes, maxRows: options.BATCH_MAX_ROWS, rowLimit });
    const submission = new Submission(rows, loaded, {
      isOneText: format === 'object',
      readsFirst: rowLimit !== undefined,
    });
    const { arrivedAt, timeoutMs = options.waitMs } = asked.caller;
    const limitMs = Math.min(timeoutMs, options.waitMs);
    // A client that sends a key wants no second job: then the rows are stored first.
    share = limitMs > 0 && key === undefined ? options.memory.open() : undefined;
    if (share !== undefined) {
      const toTexts = type === 'application/json' ? toResultsText : toResultLines;
      const toText: ToResultsText = (from, outcomes) => toTexts(from, outcomes, options.showsProblems);
      const timed = { ...asked, limitMs, source: 'batch' as const };
      const answer = await answerNow(app.batchPredictor, loaded, timed, submission, share, toText);
      if (answer !== undefined) {
        const sent = await sendAnswer(reply, loaded, answer, share, type);
        share = undefined;
        return sent;
      }
    }
    const spec = {
      owner: ownerOf(request),
      model: loaded.name,
      version: loaded.version,
      identity: loaded.identity,
      requestId: request.id,
      trace: request.trace?.header,
    };
    const address = JSON.stringify([asked.model ?? '', asked.version ?? '']);
    const job = await acceptJob(app.jobs, spec, submission, key === undefined ? undefined : { key, address });
    // The server stops, or the client has left.
    const isGivenUp = () => app.isDraining() || request.raw.socket.destroyed;
    const ended =
      key === undefined ? undefined : await waitForJob(app.jobs, job, arrivedAt + limitMs, isGivenUp);
    if (ended?.state === 'completed') {
      if (type === 'application/json') return sendStored(app, reply, ended);
      return await sendResults(app, request, reply, ended, 0);
    }
    reply.code(202).header('location', `/predict/batch/${job.id}`);
    return toJobAnswer(ended ?? job, 1_000 * options.JOB_TTL_SECONDS);
  } finally {
    share?.release();
    loaded.release();
  }
}

export default batchRoutes;
