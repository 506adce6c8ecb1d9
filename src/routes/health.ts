import type { FastifyPluginAsync } from 'fastify';
import { canAnswer, findMissingModels } from '../models/readiness.js';
import { defaultVersion } from '../models/routing.js';
import { HealthSchema, LiveSchema, NotReadySchema, ReadySchema } from '../schemas/health.js';

export interface HealthOptions {
  readonly requiredModels?: string | undefined;
  readonly serverVersion: string;
}

/** Whether the process lives, whether traffic may come, and how things are. */
const healthRoutes: FastifyPluginAsync<HealthOptions> = async (app, { requiredModels, serverVersion }) => {
  const tags = ['health'];
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  app.get(
    '/health/live',
    { schema: { summary: 'Whether the process answers', tags, response: { 200: LiveSchema } } },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/health/ready',
    {
      schema: {
        summary: 'Whether traffic may come',
        tags,
        response: { 200: ReadySchema, 503: NotReadySchema },
      },
    },
    async (_request, reply) => {
      const reasons = [
        ...(app.isDraining() ? ['the server is draining'] : []),
        ...findMissingModels(app.registry, requiredModels),
      ];
      if (reasons.length === 0) return { status: 'ready' };
      reply.code(503).header('retry-after', '1');
      return { status: 'not_ready', reasons };
    },
  );

  app.get(
    '/health',
    { schema: { summary: 'How things are, for people', tags, response: { 200: HealthSchema } } },
    async () => {
      const models = app.registry.list();
      const isWell = findMissingModels(app.registry, requiredModels).length === 0 && models.every(canAnswer);
      return {
        status: app.isDraining() ? 'draining' : isWell ? 'ok' : 'degraded',
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

export default healthRoutes;
