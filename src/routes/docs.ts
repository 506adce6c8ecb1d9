import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { ServiceError } from '../errors.js';
import { StringEnum } from '../schemas/string-enum.js';
import { Manual } from './manual/manual.js';
import { type DocumentForm, ModelDocuments } from './manual/model-documents.js';
import { addPageHeaders } from './manual/page-headers.js';
import { sendBytes } from './manual/served-bytes.js';

/**
 * The page loads only files of this server. The policy of @fastify/swagger-ui is not used: by its
 * `upgrade-insecure-requests` the page is empty over plain HTTP under any name except localhost.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "img-src 'self' data:",
  "object-src 'none'",
  "style-src 'self' 'unsafe-inline'",
].join('; ');

const documents: readonly (readonly [path: string, form: DocumentForm])[] = [
  ['/openapi.json', 'json'],
  ['/docs/json', 'json'],
  ['/docs/yaml', 'yaml'],
];

const Query = Type.Object({ versions: Type.Optional(StringEnum(['default', 'all'])) });

/** The interactive manual of the loaded models and its OpenAPI document, both from memory. */
const docsRoutes: FastifyPluginAsync = async (app) => {
  addPageHeaders(app, { 'content-security-policy': contentSecurityPolicy });
  const config = { scope: 'open' } as const;
  const manual = new Manual();
  for (const path of ['/docs', '/docs/', '/docs/static/:file']) {
    app.get(path, { config, schema: { hide: true } }, async (request, reply) => {
      const { file: name } = request.params as { file?: string };
      const file = await manual.find(name === undefined ? path : `/docs/static/${name}`);
      if (file === undefined) throw new ServiceError('not_found', { detail: 'The manual has no such file.' });
      return sendBytes(request, reply, file);
    });
  }
  const made = new ModelDocuments(app);
  // The document of the routes is made in one step of some 20 ms, and kept.
  app.addHook('onReady', async () => void app.swagger());
  for (const [path, form] of documents) {
    app.get<{ Querystring: { versions?: string } }>(
      path,
      { config, schema: { hide: true, querystring: Query } },
      async (request, reply) =>
        sendBytes(request, reply, await made.get(form, request.query.versions === 'all')),
    );
  }
};

export default docsRoutes;
