import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { defaultVersion } from '../models/registry/choose-version.js';
import { canAnswer } from '../models/registry/readiness.js';
import { HealthSchema, LiveSchema, NotReadySchema, ReadySchema } from '../schemas/health.js';
import { findServerProblems } from './console/server-problems.js';

export interface HealthOptions {
  readonly serverVersion: string;
}

const healthRoutes: FastifyPluginAsync<HealthOptions> = async (app, { serverVersion }) => {
  const tags = ['health'];
  const config = { scope: 'open', limit: 'none' } as const;
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  app.get(
    '/health/live',
    {
      config,
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process answers',
        tags,
        response: { 200: LiveSchema },
      },
    },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/health/ready',
    {
      config,
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether the server is ready for traffic',
        tags,
        response: { 200: ReadySchema, 503: NotReadySchema },
      },
    },
    async (_request, reply) => {
      const { reasons } = await app.cluster.readiness();
      if (reasons.length === 0) return { status: 'ready' };
      reply.code(503);
      if (app.cluster.passes()) reply.header('retry-after', '1');
      return { status: 'not_ready', reasons };
    },
  );

  app.get(
    '/health',
    {
      config,
      schema: {
        operationId: 'getHealth',
        summary: 'The state of the server and its models, for people',
        tags,
        response: { 200: HealthSchema },
      },
    },
    async () => {
      const models = app.registry.list();
      const { redis } = app;
      const readiness = await app.cluster.readiness();
      const { workers } = readiness;
      const isWell = findServerProblems({ ...readiness, redis }).length === 0 && models.every(canAnswer);
      return {
        status: app.isDraining() ? 'draining' : isWell ? 'ok' : 'degraded',
        ...(workers !== undefined && { workers }),
        ...(redis !== null && { redis: toRedisHealth(redis) }),
        model_loaded: models.some(canAnswer),
        models: Object.fromEntries(
          models.map((model) => [
            model.name,
            {
              can_answer: canAnswer(model),
              default_version: defaultVersion(model) ?? null,
              refused: [...model.versions.values()].filter(({ state }) => state === 'refused').length,
            },
          ]),
        ),
        uptime_seconds: Math.round(process.uptime()),
        version: serverVersion,
      };
    },
  );
};

/** The state may be `up` while Redis refuses some commands. */
function toRedisHealth({ state, refusedCommands }: NonNullable<FastifyInstance['redis']>) {
  return { state, ...(refusedCommands.length > 0 && { refused_commands: refusedCommands }) };
}

export default healthRoutes;
