import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';

const Cleared = Type.Object({
  models: Type.Array(Type.String(), { description: 'Whose answers were forgotten' }),
  entries: Type.Integer({ description: 'How many there were' }),
});

/** What an operator does to a server that runs. */
const adminRoutes: FastifyPluginAsync = async (app) => {
  app.delete<{ Querystring: { model?: string } }>(
    '/admin/cache',
    {
      schema: {
        summary: 'Forget the answers that are remembered: of one model, or of all',
        tags: ['admin'],
        querystring: Type.Object({ model: Type.Optional(Type.String()) }, { additionalProperties: false }),
        response: { 200: Cleared },
      },
    },
    async ({ query }) => {
      const { registry, cachedAnswers } = app;
      const models = query.model === undefined ? registry.list() : [registry.find(query.model)];
      const versions = models.flatMap((model) => [...model.versions.values()]);
      const identities = versions.flatMap((it) => (it.state === 'ready' ? [it.loaded.identity] : []));
      const counts = await Promise.all(identities.map((it) => cachedAnswers?.clear(it) ?? 0));
      return { models: models.map(({ name }) => name), entries: counts.reduce((sum, it) => sum + it, 0) };
    },
  );
};

export default adminRoutes;
