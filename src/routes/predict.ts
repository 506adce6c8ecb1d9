import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { readPredictionRequest, shownCacheResults } from '../http/prediction-request.js';

const contentType = 'application/json; charset=utf-8';

const predictRoutes: FastifyPluginAsync = async (app) => {
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<string> => {
    const prediction = readPredictionRequest(app, request);
    const { answer, cache, text } = await app.predictor.predict(prediction, request.body);
    reply.header('content-type', contentType).header('x-cache', shownCacheResults[cache ?? 'off']);
    const { timing } = answer;
    if (timing !== undefined) {
      const { queueMs, runMs } = timing;
      reply.header('server-timing', `queue;dur=${queueMs.toFixed(3)}, run;dur=${runMs.toFixed(3)}`);
    }
    return text;
  };
  const config = { scope: 'predict' } as const;
  app.post('/predict', { config: { scope: 'predict', model: 'default' } }, answer);
  app.post('/models/:model/predict', { config }, answer);
  app.post('/models/:model/versions/:version/predict', { config }, answer);
};

export default predictRoutes;
