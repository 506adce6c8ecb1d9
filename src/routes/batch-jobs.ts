import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';
import { hasEnded, type Job } from '../jobs/queue/job.js';
import { jobIdPattern } from '../jobs/queue/job-id.js';
import { takeResults } from '../jobs/queue/result-reader.js';
import { toJobAnswer } from '../schemas/job.js';
import { compileQuery } from '../schemas/query.js';
import { createFollowerPlaces, streamEvents } from './job-events.js';
import { ownerOf } from './job-owner.js';
import { sendResults } from './send-results.js';

export interface BatchJobRouteOptions {
  readonly JOB_TTL_SECONDS: number;
}

const maxResults = 10_000;
const maxJobs = 100;

const Offset = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: 999_999_999_999_999,
    default: 0,
    description: 'The index of the first row',
  }),
);
const JobId = Type.Object({ job_id: Type.String({ description: 'As `POST /predict/batch` has answered' }) });
const config = { scope: 'predict', model: 'none' } as const;
const tags = ['batch'];

/** What a client does with the jobs that it has submitted. Another client's job is not found. */
const batchJobRoutes: FastifyPluginAsync<BatchJobRouteOptions> = async (app, { JOB_TTL_SECONDS }) => {
  app.setValidatorCompiler(compileQuery);
  const keepMs = 1_000 * JOB_TTL_SECONDS;
  const followers = createFollowerPlaces();

  app.get('/predict/batch', {
    schema: {
      operationId: 'listJobs',
      summary: 'List the batch jobs of this client',
      tags,
      querystring: Type.Object({
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxJobs, default: maxJobs })),
        before: Type.Optional(
          Type.String({
            pattern: jobIdPattern.source,
            description: '`next` of the page before: the id of a job',
          }),
        ),
      }),
      response: { 200: { $ref: 'JobList#' } },
    },
    config,
    handler: async (request) => {
      const { limit, before } = request.query as { limit: number; before?: string };
      const jobs = await app.jobs.list(ownerOf(request), limit + 1, before);
      const shown = jobs.slice(0, limit).filter((job) => isAllowed(request, job));
      const next = jobs.length > limit ? jobs[limit - 1]?.id : undefined;
      return { jobs: shown.map((job) => toJobAnswer(job, keepMs)), next };
    },
  });

  app.get('/predict/batch/:job_id', {
    schema: {
      operationId: 'getJob',
      summary: 'Show the progress of a batch job, and its results once it has ended',
      tags,
      params: JobId,
      querystring: Type.Object({
        offset: Offset,
        limit: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: maxResults,
            default: 1_000,
            description: 'The maximum number of results',
          }),
        ),
      }),
      response: { 200: { $ref: 'Job#' } },
    },
    config,
    handler: async (request, reply) => {
      const { offset, limit } = request.query as { offset: number; limit: number };
      const job = await findJob(app, request);
      const answer = toJobAnswer(job, keepMs);
      if (!hasEnded(job) || limit === 0) return answer;
      const { lines, next: nextRow } = await takeResults(app.jobs, job, offset, limit);
      const next = nextRow === undefined ? '' : `,"next":${nextRow}`;
      // The results are JSON texts already.
      const text = `${JSON.stringify(answer).slice(0, -1)},"results":[${lines.join(',')}]${next}}`;
      return reply.header('content-type', 'application/json; charset=utf-8').send(text);
    },
  });

  app.get('/predict/batch/:job_id/results', {
    schema: {
      operationId: 'getJobResults',
      summary: 'Read the results of a batch job, a line a row',
      description:
        'While the job runs, the results end at the first row without one: `x-job-status` says so. Go on with the last `index` plus one as `offset`.',
      tags,
      params: JobId,
      querystring: Type.Object({ offset: Offset }),
      response: {
        200: {
          description: 'A result in each line, as in `BatchAnswer`',
          content: {
            'application/x-ndjson': { schema: Type.String() },
            'text/csv': { schema: Type.String() },
          },
        },
      },
    },
    config,
    handler: async (request, reply) => {
      const { offset } = request.query as { offset: number };
      const job = await findJob(app, request);
      return await sendResults(app, request, reply, job, offset);
    },
  });

  app.get('/predict/batch/:job_id/events', {
    schema: {
      operationId: 'followJob',
      summary: 'Follow the progress of a batch job as server-sent events',
      tags,
      params: JobId,
      response: {
        200: {
          description: 'The events `progress` and `end`, whose data is the job',
          content: { 'text/event-stream': { schema: Type.Unknown() } },
        },
      },
    },
    config,
    handler: async (request, reply) => {
      const job = await findJob(app, request);
      return streamEvents(app, request, reply, followers, job, {
        toAnswer: (it) => toJobAnswer(it, keepMs),
        isAllowed: () => isStillAllowed(app, request, job),
      });
    },
  });

  app.delete('/predict/batch/:job_id', {
    schema: {
      operationId: 'cancelJob',
      summary: 'Cancel a batch job',
      description: 'Rows that have been answered keep their results.',
      tags,
      params: JobId,
      response: { 200: { $ref: 'Job#' } },
    },
    config,
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const job = await findJob(app, request);
      if (hasEnded(job) || !(await app.jobs.cancel(job))) {
        const { state } = await findJob(app, request);
        throw new ServiceError('job_not_cancellable', { detail: `The job is ${state}.` });
      }
      return reply.send(toJobAnswer(await findJob(app, request), keepMs));
    },
  });
};

/** Throws `job_not_found` also for the job of another client, and of a model that the key may not use. */
async function findJob(app: FastifyInstance, request: FastifyRequest): Promise<Job> {
  const { job_id: id } = request.params as { job_id: string };
  const job = await app.jobs.find(ownerOf(request), id);
  if (job === undefined || !isAllowed(request, job)) {
    throw new ServiceError('job_not_found', { detail: 'There is no such job, or it has expired.' });
  }
  return job;
}

/** For an answer that lasts: whether the key of its request would be accepted now. */
function isStillAllowed(app: FastifyInstance, { raw }: FastifyRequest, job: Job): boolean {
  try {
    const key = app.identify(raw, app.needsKeys);
    return key === null || (key.scopes.has(config.scope) && isAllowed({ key }, job));
  } catch {
    return false;
  }
}

function isAllowed({ key }: Pick<FastifyRequest, 'key'>, { model }: Job): boolean {
  return key?.models?.has(model) ?? true;
}

export default batchJobRoutes;
