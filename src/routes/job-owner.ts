import type { FastifyRequest } from 'fastify';

/** The owner of the jobs that a request submits or asks for; empty without keys. */
export function ownerOf({ key }: Pick<FastifyRequest, 'key'>): string {
  return key?.id ?? '';
}
