import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { readCaching, readTimeout, shownCacheResults } from '../prediction-headers.js';

const contentType = 'application/json; charset=utf-8';

/** One row to the default model, to a named model, or to one version of it. */
const predictRoutes: FastifyPluginAsync = async (app) => {
  const config = { scope: 'predict' } as const;
  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    model?: string,
    version?: string,
  ): Promise<string> => {
    const { answer, cache, text } = await app.predictor.predict({
      ...(model !== undefined && { model }),
      ...(version !== undefined && { version }),
      body: request.body,
      requestId: request.id,
      keyId: request.key?.id,
      onBegun: (prediction) => {
        request.prediction = prediction;
      },
      caching: readCaching(request.headers['cache-control']),
      caller: {
        arrivedAt: app.arrivedAt(request.raw.socket),
        timeoutMs: readTimeout(request.headers['x-request-timeout-ms']),
        connection: request.raw.socket,
        requestId: request.id,
      },
    });
    reply.header('content-type', contentType).header('x-cache', shownCacheResults[cache ?? 'off']);
    const { queueMs, runMs } = answer;
    if (queueMs !== undefined && runMs !== undefined) {
      reply.header('server-timing', `queue;dur=${queueMs.toFixed(3)}, run;dur=${runMs.toFixed(3)}`);
    }
    return text;
  };

  app.post('/predict', { config: { scope: 'predict', model: 'default' } }, (request, reply) =>
    answer(request, reply),
  );
  app.post<{ Params: { model: string } }>('/models/:model/predict', { config }, (request, reply) =>
    answer(request, reply, request.params.model),
  );
  app.post<{ Params: { model: string; version: string } }>(
    '/models/:model/versions/:version/predict',
    { config },
    (request, reply) => answer(request, reply, request.params.model, request.params.version),
  );
};

export default predictRoutes;
