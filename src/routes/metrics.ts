import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';

const metricsRoutes: FastifyPluginAsync = async (app) => {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics', limit: 'none' },
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics in the text format of Prometheus',
        tags: ['health'],
        produces: ['text/plain'],
        response: { 200: Type.String({ description: 'All series' }) },
      },
    },
    async (_request, reply) => {
      reply.header('content-type', app.metrics.contentType);
      return app.cluster.metricsText();
    },
  );
};

export default metricsRoutes;
