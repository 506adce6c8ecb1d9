import { Type } from '@sinclair/typebox';
import type { FastifyPluginAsync } from 'fastify';
import { readShare } from '../../config/prediction-log.js';
import type { Config } from '../../config/read-config.js';
import { explainNoReference, toDriftAnswer, toDriftHead } from '../../schemas/drift.js';

/** The recent rows of a version against its reference. */
const driftRoutes: FastifyPluginAsync<Pick<Config, 'DRIFT_THRESHOLD'>> = async (app, config) => {
  const threshold = readShare(config.DRIFT_THRESHOLD) ?? 0;
  app.get<{ Params: { model: string }; Querystring: { version?: string; distributions?: boolean } }>(
    '/models/:model/drift',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getDrift',
        summary: 'How far recent rows are from the training data',
        description:
          'Each feature, and the answers of the model, against the reference of the version. Without `version`: the one that answers.',
        tags: ['models'],
        querystring: Type.Object(
          {
            version: Type.Optional(Type.String({ description: 'A version, an alias, or `latest`' })),
            distributions: Type.Optional(
              Type.Unsafe<boolean>({
                enum: ['true', 'false'],
                description: 'Whether to add the shares of bins',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: { $ref: 'Drift#' } },
      },
    },
    async ({ params, query }) => {
      const loaded = app.registry.lease(params.model, query.version);
      try {
        const head = toDriftHead(loaded, threshold);
        if (app.drift === undefined) return { ...head, status: 'off', reason: 'The setting DRIFT is off.' };
        const findings = await app.drift.findingsOf(loaded);
        if (findings === undefined)
          return { ...head, status: 'no_reference', reason: explainNoReference(loaded) };
        return toDriftAnswer(loaded, threshold, findings, String(query.distributions) === 'true');
      } finally {
        loaded.release();
      }
    },
  );
};

export default driftRoutes;
