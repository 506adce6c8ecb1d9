import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import type { Config } from '../../config/read-config.js';
import { ServiceError } from '../../errors.js';
import { findVersion } from '../../models/registry/choose-version.js';
import { toQualityAnswer } from '../../schemas/quality.js';
import { runInSlices } from '../../time/slices.js';

/** The live quality of versions, from feedback. */
const qualityRoutes: FastifyPluginAsync<Pick<Config, 'FEEDBACK_WINDOW_SECONDS'>> = async (app, config) => {
  app.get<{ Params: { model: string }; Querystring: { version?: string } }>(
    '/models/:model/quality',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getQuality',
        summary: 'The quality of a model, measured by feedback',
        description:
          'Accuracy, precision, recall, F1, Brier score, calibration and confusion of a classification; errors of a regression. Without `version`: all versions with feedback.',
        tags: ['feedback'],
        querystring: Type.Object(
          { version: Type.Optional(Type.String({ description: 'A version, an alias, or `latest`' })) },
          { additionalProperties: false },
        ),
        response: { 200: { $ref: 'Quality#' } },
      },
    },
    async ({ params, query }) => {
      const model = app.registry.find(params.model);
      const version = query.version === undefined ? undefined : findVersion(model, query.version).name;
      const sums = await app.cluster.sums(model.name);
      if (sums === undefined) throw new ServiceError('feedback_unavailable');
      return runInSlices(toQualityAnswer(model.name, config.FEEDBACK_WINDOW_SECONDS, sums, version));
    },
  );
};

export default qualityRoutes;
