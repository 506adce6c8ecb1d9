import type { FastifyPluginAsync } from 'fastify';
import { ModelListSchema, toModel, toVersionDetail } from '../schemas/model.js';

/** What is loaded, what is refused and why. */
const modelRoutes: FastifyPluginAsync = async (app) => {
  app.get(
    '/models',
    {
      schema: {
        summary: 'All models, their versions and aliases',
        tags: ['models'],
        response: { 200: ModelListSchema },
      },
    },
    async () => {
      const { aliasProblem } = app.registry;
      const models = app.registry.list().map(toModel);
      return { models, ...(aliasProblem !== undefined && { alias_problem: aliasProblem }) };
    },
  );
  app.get<{ Params: { model: string } }>(
    '/models/:model',
    {
      schema: {
        summary: 'One model: its versions, aliases and states',
        tags: ['models'],
        response: { 200: { $ref: 'Model#' } },
      },
    },
    async ({ params }) => toModel(app.registry.find(params.model)),
  );
  app.get<{ Params: { model: string; version: string } }>(
    '/models/:model/versions/:version',
    {
      schema: {
        summary: 'One version: its features, request schema and an example',
        tags: ['models'],
        response: { 200: { $ref: 'VersionDetail#' } },
      },
    },
    async ({ params }) => toVersionDetail(app.registry.find(params.model), params.version),
  );
};

export default modelRoutes;
