import type { FastifyReply } from 'fastify';

/** Adds names to the header `Vary`: CORS and the choice of a type may both decide about one answer. */
export function addVary(reply: FastifyReply, ...names: readonly string[]): void {
  const before = reply.getHeader('vary');
  reply.header('vary', [...(before === undefined ? [] : [before]), ...names].join(', '));
}
