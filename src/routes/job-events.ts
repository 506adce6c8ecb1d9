import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ServiceError } from '../errors.js';
import { hasEnded, type Job } from '../jobs/queue/job.js';

/** Clients that follow jobs at the same time. */
const maxFollowers = 100;
const lookEveryMs = 500;
/** A proxy closes a connection on which nothing comes, often after 60 s. */
const heartbeatEveryMs = 15_000;

const followers = new WeakMap<FastifyInstance, number>();

/**
 * The progress of a job as server-sent events (HTML standard, 9.2): `progress` at each change, and `end` once it has
 * ended; the data is the job. Ends early when the server stops. Throws `overloaded`.
 */
export function streamEvents(
  app: FastifyInstance,
  reply: FastifyReply,
  job: Job,
  toAnswer: (job: Job) => unknown,
): FastifyReply {
  const count = followers.get(app) ?? 0;
  if (count >= maxFollowers) {
    const detail = `${maxFollowers} clients follow jobs already: ask for the job from time to time.`;
    throw new ServiceError('overloaded', { detail, retryAfterSeconds: 10 });
  }
  followers.set(app, count + 1);
  const closed = new AbortController();
  reply.raw.once('close', () => {
    closed.abort();
    followers.set(app, (followers.get(app) ?? 1) - 1);
  });
  reply.headers({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const events = Readable.from(follow(app, job, closed.signal, toAnswer), { objectMode: false });
  return reply.send(events);
}

async function* follow(
  app: FastifyInstance,
  first: Job,
  closed: AbortSignal,
  toAnswer: (job: Job) => unknown,
): AsyncGenerator<string> {
  let job: Job | undefined = first;
  let shown = '';
  let sentAt = performance.now();
  while (job !== undefined && !closed.aborted && !app.isDraining()) {
    const { state, completedRows, failedRows } = job;
    const now = `${state} ${completedRows} ${failedRows}`;
    if (now !== shown) {
      shown = now;
      sentAt = performance.now();
      const event = hasEnded(job) ? 'end' : 'progress';
      yield `event: ${event}\ndata: ${JSON.stringify(toAnswer(job))}\n\n`;
    } else if (performance.now() - sentAt > heartbeatEveryMs) {
      sentAt = performance.now();
      yield ': the job has not changed\n\n';
    }
    if (hasEnded(job)) return;
    await pause(lookEveryMs, undefined, { signal: closed }).catch(() => undefined);
    job = await app.jobs.find(first.owner, first.id);
  }
}
