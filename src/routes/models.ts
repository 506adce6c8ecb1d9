import type { FastifyPluginAsync } from 'fastify';
import { ModelListSchema, toModel, toVersionDetail } from '../schemas/model.js';

const modelRoutes: FastifyPluginAsync = async (app) => {
  app.get(
    '/models',
    {
      config: { scope: 'read', model: 'none' },
      schema: {
        operationId: 'listModels',
        summary: 'All models, their versions and aliases',
        tags: ['models'],
        response: { 200: ModelListSchema },
      },
    },
    async ({ key }) => {
      const { aliasProblem } = app.registry;
      // A key that is limited to some models sees only these.
      const visible = app.registry.list().filter(({ name }) => key?.models?.has(name) ?? true);
      const models = visible.map((model) => toModel(model, app.cachedAnswers));
      const showsProblem = aliasProblem !== undefined && key?.models === undefined;
      return { models, ...(showsProblem && { alias_problem: aliasProblem }) };
    },
  );
  app.get<{ Params: { model: string } }>(
    '/models/:model',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getModel',
        summary: 'One model: its versions, aliases and states',
        tags: ['models'],
        response: { 200: { $ref: 'Model#' } },
      },
    },
    async ({ params }) => toModel(app.registry.find(params.model), app.cachedAnswers),
  );
  app.get<{ Params: { model: string; version: string } }>(
    '/models/:model/versions/:version',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getVersion',
        summary: 'One version: its features, request schema and an example',
        tags: ['models'],
        response: { 200: { $ref: 'VersionDetail#' } },
      },
    },
    async ({ params }) => toVersionDetail(app.registry.find(params.model), params.version, app.cachedAnswers),
  );
};

export default modelRoutes;
