import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What is made once and sent often. */
export interface ServedBytes {
  readonly bytes: Buffer;
  readonly contentType: string;
  readonly etag: string;
}

export function toServedBytes(content: Buffer | string, contentType: string): ServedBytes {
  const bytes = Buffer.from(content);
  return {
    bytes,
    contentType,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
  };
}

/** Answers with the bytes, or with a 304 where the client has them. They are never copied. */
export function sendBytes(request: FastifyRequest, reply: FastifyReply, served: ServedBytes): FastifyReply {
  // A client asks each time: the address stays when the bytes change.
  reply.header('etag', served.etag).header('cache-control', 'no-cache');
  if (hasThem(request.headers['if-none-match'], served.etag)) return reply.code(304).send();
  return reply.header('content-type', served.contentType).send(served.bytes);
}

/** RFC 9110, 13.1.2: a list of tags, which are compared without their `W/`, or any. */
function hasThem(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}
