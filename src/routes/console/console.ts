import type { FastifyPluginAsync } from 'fastify';
import { ServiceError } from '../../errors.js';
import { canAnswer } from '../../models/registry/readiness.js';
import type { Registry } from '../../models/registry/registry.js';
import { toPoints } from '../../monitoring/traffic/traffic-points.js';
import { stepSeconds } from '../../monitoring/traffic/traffic-steps.js';
import { ConsoleSchema } from '../../schemas/console.js';
import { toModel } from '../../schemas/model.js';
import { serverVersion } from '../../version.js';
import { addPageHeaders } from '../manual/page-headers.js';
import { sendBytes } from '../manual/served-bytes.js';
import { readConsoleFiles } from './console-files.js';
import { consolePolicy } from './console-page.js';
import { createModelFindings } from './model-findings.js';
import { findServerProblems } from './server-problems.js';

/** The files and the data of the page at `/`. */
const consoleRoutes: FastifyPluginAsync = async (app) => {
  addPageHeaders(app, { 'content-security-policy': consolePolicy });
  const files = readConsoleFiles();
  const findFindings = createModelFindings(app);
  app.get<{ Params: { file: string } }>(
    '/console/:file',
    { config: { scope: 'open' }, schema: { hide: true } },
    (request, reply) => {
      const file = files.get(request.params.file);
      if (file === undefined)
        throw new ServiceError('not_found', { detail: 'The console has no such file.' });
      return sendBytes(request, reply, file);
    },
  );
  app.get(
    '/console/data',
    {
      config: { scope: 'read', model: 'none' },
      schema: {
        operationId: 'getConsole',
        summary: 'What the console shows: models, and the traffic of the last minutes',
        tags: ['models'],
        response: { 200: ConsoleSchema },
      },
    },
    async ({ key }, reply) => {
      const isVisible = (model: string) => key?.models?.has(model) ?? true;
      const models = app.registry.list().filter(({ name }) => isVisible(name));
      const traffic = (await app.cluster.traffic()).filter(({ model }) => isVisible(model));
      const { redis } = app;
      const hidden = app.registry
        .list()
        .filter((model) => !isVisible(model.name) && !canAnswer(model)).length;
      const problems = [
        ...findServerProblems({ ...(await app.cluster.readiness()), redis }),
        ...(hidden > 0
          ? [
              `${hidden} model${hidden > 1 ? 's' : ''} that this key cannot use ${hidden > 1 ? 'do' : 'does'} not answer`,
            ]
          : []),
      ];
      const findings = await findFindings(models);
      reply.header('cache-control', 'no-store');
      return {
        version: serverVersion,
        problems,
        may_predict: key === null || key.scopes.has('predict'),
        ...nameDefault(app.registry, isVisible),
        models: models.map((model) => toModel(model, app.cachedAnswers)),
        findings,
        step_seconds: stepSeconds,
        traffic: toPoints(traffic, Date.now()),
      };
    },
  );
};

/** The model of plain `/predict`, which the page shows first; nothing if there is none. */
function nameDefault(
  registry: Registry,
  isVisible: (name: string) => boolean,
): { readonly default_model?: string } {
  try {
    const { name } = registry.findDefault();
    return isVisible(name) ? { default_model: name } : {};
  } catch {
    return {};
  }
}

export default consoleRoutes;
