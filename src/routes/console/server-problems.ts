import type { FastifyInstance } from 'fastify';

/** Why the server is degraded, apart from single models: short texts without a full stop. */
export function findServerProblems({
  reasons,
  workers,
  redis,
}: Awaited<ReturnType<FastifyInstance['cluster']['readiness']>> & {
  readonly redis: FastifyInstance['redis'];
}): readonly string[] {
  const problems = [...reasons];
  if (workers !== undefined && workers.running < workers.wanted)
    problems.push(`${workers.running} of ${workers.wanted} workers run`);
  if (redis?.state === 'down') problems.push('Redis is down');
  else if (redis !== null && redis.refusedCommands.length > 0)
    problems.push(`Redis refuses commands that the server needs: ${redis.refusedCommands.join(', ')}`);
  return problems;
}
