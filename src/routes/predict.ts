import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import type { PredictionRequest } from '../predictor.js';

const contentType = 'application/json; charset=utf-8';

/** One row to the default model, to a named model, or to one version of it. */
const predictRoutes: FastifyPluginAsync = async (app) => {
  const answer = async (request: PredictionRequest, reply: FastifyReply): Promise<string> => {
    const { answer, text } = await app.predictor.predict(request);
    reply
      .header('content-type', contentType)
      .header('x-cache', 'off')
      .header('server-timing', `queue;dur=${answer.queueMs.toFixed(3)}, run;dur=${answer.runMs.toFixed(3)}`);
    return text;
  };

  app.post('/predict', (request, reply) => answer({ body: request.body, requestId: request.id }, reply));
  app.post<{ Params: { model: string } }>('/models/:model/predict', (request, reply) =>
    answer({ model: request.params.model, body: request.body, requestId: request.id }, reply),
  );
  app.post<{ Params: { model: string; version: string } }>(
    '/models/:model/versions/:version/predict',
    (request, reply) => answer({ ...request.params, body: request.body, requestId: request.id }, reply),
  );
};

export default predictRoutes;
