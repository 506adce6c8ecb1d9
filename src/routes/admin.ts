import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { ServiceError } from '../errors.js';

const Cleared = Type.Object({
  models: Type.Array(Type.String(), { description: 'The models whose cached answers were removed' }),
  entries: Type.Integer({ description: 'The number of removed answers' }),
});

const adminRoutes: FastifyPluginAsync = async (app) => {
  // Some clients send a content type with every request.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    done(new ServiceError('unsupported_media_type', { detail: 'Send no body.' }));
  });
  app.delete<{ Querystring: { model?: string } }>(
    '/admin/cache',
    {
      config: { scope: 'admin', model: 'query' },
      schema: {
        operationId: 'clearCache',
        summary: 'Clear the cached answers of one model, or of all models',
        tags: ['admin'],
        querystring: Type.Object({ model: Type.Optional(Type.String()) }, { additionalProperties: false }),
        response: { 200: Cleared },
      },
    },
    async ({ query }) => {
      const { registry, cachedAnswers, cluster } = app;
      // The identity of a version, which is its key in Redis, is known only after its load.
      if (registry.isStarting)
        throw new ServiceError('not_ready', { detail: 'The models are being loaded.' });
      const models = query.model === undefined ? registry.list() : [registry.find(query.model)];
      const versions = models.flatMap((model) => [...model.versions.values()]);
      const identities = versions.flatMap((it) => (it.state === 'ready' ? [it.loaded.identity] : []));
      // The shared cache is cleared first, or a process could fill its own cache from it again.
      const shared = await Promise.all(identities.map((it) => cachedAnswers?.clearShared(it) ?? 0));
      const own = await cluster.forget(identities);
      if (own === undefined) throw new ServiceError('cache_unavailable');
      const entries = Math.max(
        own,
        shared.reduce((sum, it) => sum + it, 0),
      );
      return { models: models.map(({ name }) => name), entries };
    },
  );
};

export default adminRoutes;
