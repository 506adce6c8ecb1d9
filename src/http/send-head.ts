import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/**
 * The answer of HEAD where GET answers with a stream. Fastify would read that stream to its end for nobody, after the
 * answer has ended. Text instead would give a `content-length` that the answer of GET does not have.
 */
export function sendHead(reply: FastifyReply): FastifyReply {
  return reply.send(Readable.from([]));
}
