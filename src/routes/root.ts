import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';

export interface RootOptions {
  readonly hasManual: boolean;
}

const RootSchema = Type.Object(
  {
    status: Type.Literal('alive'),
    openapi: Type.Optional(Type.String({ description: 'The address of the OpenAPI document' })),
    docs: Type.Optional(Type.String({ description: 'The address of the manual' })),
  },
  { description: 'The process answers' },
);

/**
 * Redirects a browser to the manual, and gives other clients links to the documents (the relations of RFC 8631).
 * KServe's clients use it as a liveness probe. The links are relative, so that they work behind a proxy with a path.
 */
const rootRoutes: FastifyPluginAsync<RootOptions> = async (app, { hasManual }) => {
  const places = { openapi: 'openapi.json', docs: 'docs' };
  const link = '<openapi.json>; rel="service-desc", <docs>; rel="service-doc"';
  app.get(
    '/',
    {
      config: { scope: 'open', limit: 'none' },
      schema: {
        operationId: 'v1GetLiveness',
        summary: 'Whether the process answers, and the addresses of its documents',
        tags: ['KServe v1'],
        response: { 200: RootSchema },
      },
    },
    async ({ headers: { accept } }, reply) => {
      if (!hasManual) return { status: 'alive' as const };
      reply.headers({ link, vary: 'accept' });
      if (accept?.includes('text/html')) return reply.redirect('docs', 302);
      return { status: 'alive' as const, ...places };
    },
  );
};

export default rootRoutes;
