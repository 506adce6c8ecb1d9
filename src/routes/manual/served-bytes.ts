import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

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

/** Answers with the bytes, without a copy, or with a 304 if the client has them. */
export function sendBytes(request: FastifyRequest, reply: FastifyReply, served: ServedBytes): FastifyReply {
  // `no-cache`: the client must revalidate each time, since the bytes can change under the same address.
  reply.header('etag', served.etag).header('cache-control', 'no-cache');
  if (hasThem(request.headers['if-none-match'], served.etag)) return reply.code(304).send();
  return reply.header('content-type', served.contentType).send(served.bytes);
}

/** RFC 9110, 13.1.2: `*`, or a list of tags, which are compared without their `W/`. */
function hasThem(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}
