import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendHead } from '../http/send-head.js';
import { StreamPlaces } from '../http/stream-places.js';
import { hasEnded, type Job } from '../jobs/queue/job.js';

/** Clients that follow jobs at the same time. */
const maxFollowers = 100;
const lookEveryMs = 500;
/** A proxy closes a connection on which nothing comes, often after 60 s. */
const heartbeatEveryMs = 15_000;

export interface Following {
  readonly toAnswer: (job: Job) => unknown;
  /** Whether the client may still see the job: its key may have been revoked. */
  readonly isAllowed: () => boolean;
}

export function createFollowerPlaces(): StreamPlaces {
  return new StreamPlaces(maxFollowers, 'follow jobs');
}

/**
 * The progress of a job as server-sent events (HTML standard, 9.2): `progress` at each change, and `end` once it has
 * ended; the data is the job. Ends early when the server stops, or if the client may not see the job any more. Throws
 * `overloaded`.
 */
export function streamEvents(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  places: StreamPlaces,
  job: Job,
  { toAnswer, isAllowed }: Following,
): FastifyReply {
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  };
  if (request.method === 'HEAD') return sendHead(reply.headers(headers));
  const closed = places.take(reply.raw);
  reply.headers(headers);
  const events = Readable.from(follow(app, job, closed, { toAnswer, isAllowed }), { objectMode: false });
  return reply.send(events);
}

async function* follow(
  app: FastifyInstance,
  first: Job,
  closed: AbortSignal,
  { toAnswer, isAllowed }: Following,
): AsyncGenerator<string> {
  let job: Job | undefined = first;
  let shown = '';
  let sentAt = performance.now();
  while (job !== undefined && isAllowed() && !closed.aborted && !app.isDraining()) {
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
