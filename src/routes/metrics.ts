import type { FastifyPluginAsync } from 'fastify';

/** What Prometheus scrapes. */
const metricsRoutes: FastifyPluginAsync = async (app) => {
  app.get(
    '/metrics',
    { schema: { summary: 'Metrics in Prometheus text', tags: ['health'], produces: ['text/plain'] } },
    async (_request, reply) => {
      reply.header('content-type', app.metrics.contentType);
      return app.metrics.text();
    },
  );
};

export default metricsRoutes;
