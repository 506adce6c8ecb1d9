import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { chooseVersion, defaultVersion, type ModelState } from '../models/routing.js';
import { type DocumentedVersion, describeModels, type OpenApiDocument } from '../schemas/openapi.js';
import { addPageHeaders } from './page-headers.js';

/**
 * The page loads its own files alone. Not the plugin's own policy: its `upgrade-insecure-requests` leaves the page
 * empty wherever it is opened by plain HTTP under another name than localhost.
 */
const contentSecurityPolicy = {
  'default-src': ["'self'"],
  'base-uri': ["'self'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
  'img-src': ["'self'", 'data:'],
  'object-src': ["'none'"],
  'style-src': ["'self'", "'unsafe-inline'"],
};

/** The interactive manual of the models that are loaded right now, and the document behind it. */
const docsRoutes: FastifyPluginAsync = async (app) => {
  addPageHeaders(app);
  const describe = () => describeModels(structuredClone(app.swagger()) as OpenApiDocument, listVersions(app));
  app.decorate('scopeOfAll', 'open');
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // Relative, so that the page finds its files behind a proxy that adds a path, whether its own address has a slash.
    indexPrefix: '.',
    transformSpecification: () => describe() as never,
    transformSpecificationClone: false,
    staticCSP: contentSecurityPolicy,
    theme: { title: 'Sardonyx' },
    uiConfig: {
      // Without the bar of Fastify, which asks for the address of another document.
      layout: 'BaseLayout',
      tryItOutEnabled: true,
      displayRequestDuration: true,
      docExpansion: 'list',
      deepLinking: true,
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => describe());
};

export default docsRoutes;

/** The default model, each model, and each of its ready versions. */
function listVersions(app: FastifyInstance): readonly DocumentedVersion[] {
  const { registry } = app;
  const models = registry.list();
  const entries = models.flatMap((model) => [...describeDefault(model), ...describeVersions(model)]);
  const fallback = attempt(() => chooseVersion(registry.findDefault()));
  if (fallback === undefined) return entries;
  const summary = `Predict with the default model, ${fallback.name}`;
  return [{ path: '/predict', summary, loaded: fallback }, ...entries];
}

function describeDefault(model: ModelState): readonly DocumentedVersion[] {
  const loaded = attempt(() => chooseVersion(model));
  if (loaded === undefined) return [];
  const summary = `Predict with ${model.name}, now version ${defaultVersion(model)}`;
  return [{ path: `/models/${model.name}/predict`, summary, loaded }];
}

function describeVersions(model: ModelState): readonly DocumentedVersion[] {
  return [...model.versions].flatMap(([version, state]) =>
    state.state === 'ready'
      ? [
          {
            path: `/models/${model.name}/versions/${version}/predict`,
            summary: `Predict with version ${version} of ${model.name}`,
            loaded: state.loaded,
          },
        ]
      : [],
  );
}

function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
