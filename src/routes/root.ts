import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';

export interface RootOptions {
  /** Whether the server has a manual. */
  readonly hasManual: boolean;
}

const RootSchema = Type.Object(
  {
    status: Type.Literal('alive'),
    openapi: Type.Optional(Type.String({ description: 'Where the OpenAPI document is' })),
    docs: Type.Optional(Type.String({ description: 'Where the manual is' })),
  },
  { description: 'The process answers' },
);

/**
 * The address of the server itself: leads a browser to the manual, and tells a program where to look (the relations of
 * RFC 8631). Clients of KServe ask it whether the process answers. The addresses are relative: they hold behind a path.
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
        summary: 'Whether the process answers, and where its documents are',
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
