import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { addVary } from '../http/vary.js';

const metricsRoutes: FastifyPluginAsync = async (app) => {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics', limit: 'none' },
      schema: {
        operationId: 'getMetrics',
        summary: 'Metrics in the text format of Prometheus',
        tags: ['health'],
        produces: ['text/plain', 'application/openmetrics-text'],
        response: { 200: Type.String({ description: 'All series' }) },
      },
    },
    async ({ headers }, reply) => {
      const { contentType, text } = await app.cluster.metricsText(headers.accept);
      addVary(reply, 'accept');
      reply.header('content-type', contentType);
      return text;
    },
  );
};

export default metricsRoutes;
