import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { ServiceError } from '../errors.js';

const Cleared = Type.Object({
  models: Type.Array(Type.String(), { description: 'Whose answers were forgotten' }),
  entries: Type.Integer({ description: 'How many there were' }),
});

/** What an operator does to a server that runs. */
const adminRoutes: FastifyPluginAsync = async (app) => {
  // A client may name a type with every request. No body is read here.
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
        summary: 'Forget the answers that are remembered: of one model, or of all',
        tags: ['admin'],
        querystring: Type.Object({ model: Type.Optional(Type.String()) }, { additionalProperties: false }),
        response: { 200: Cleared },
      },
    },
    async ({ query }) => {
      const { registry, cachedAnswers, cluster } = app;
      // What is remembered elsewhere of a version is known only once it is loaded.
      if (registry.isStarting)
        throw new ServiceError('not_ready', { detail: 'The models are being loaded.' });
      const models = query.model === undefined ? registry.list() : [registry.find(query.model)];
      const versions = models.flatMap((model) => [...model.versions.values()]);
      const identities = versions.flatMap((it) => (it.state === 'ready' ? [it.loaded.identity] : []));
      // What is shared first, so that nobody finds it there again; then what each process has for itself.
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
