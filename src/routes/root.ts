import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { addVary } from '../http/vary.js';
import { consolePolicy, createConsolePage } from './console/console-page.js';
import { toPageHeaders } from './manual/page-headers.js';
import { sendBytes } from './manual/served-bytes.js';

export interface RootOptions {
  readonly hasManual: boolean;
  readonly hasConsole: boolean;
  /** Whether `/metrics` needs no key. */
  readonly hasMetrics: boolean;
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
 * Gives a browser the console, or redirects it to the manual, and gives other clients links to the documents (the
 * relations of RFC 8631). KServe's clients use it as a liveness probe. The links are relative, so that they work behind
 * a proxy with a path.
 */
const rootRoutes: FastifyPluginAsync<RootOptions> = async (app, { hasManual, hasConsole, hasMetrics }) => {
  const places = { openapi: 'openapi.json', docs: 'docs' };
  const link = '<openapi.json>; rel="service-desc", <docs>; rel="service-doc"';
  const page = hasConsole ? createConsolePage({ hasManual, hasMetrics }) : undefined;
  const pageHeaders = toPageHeaders(app, { 'content-security-policy': consolePolicy });
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
    async (request, reply) => {
      const isBrowser = request.headers.accept?.includes('text/html') === true;
      if (hasManual) reply.header('link', link);
      if (hasManual || hasConsole) addVary(reply, 'accept');
      if (isBrowser && page !== undefined) return sendBytes(request, reply.headers(pageHeaders), page);
      if (!hasManual) return { status: 'alive' as const };
      if (isBrowser) return reply.redirect('docs', 302);
      return { status: 'alive' as const, ...places };
    },
  );
};

export default rootRoutes;
