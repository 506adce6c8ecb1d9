import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';

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
    const { answer, text } = await app.predictor.predict({
      ...(model !== undefined && { model }),
      ...(version !== undefined && { version }),
      body: request.body,
      requestId: request.id,
      keyId: request.key?.id,
      caller: {
        arrivedAt: app.arrivedAt(request.raw.socket),
        timeoutMs: readTimeout(request.headers['x-request-timeout-ms']),
        connection: request.raw.socket,
      },
    });
    reply
      .header('content-type', contentType)
      .header('x-cache', 'off')
      .header('server-timing', `queue;dur=${answer.queueMs.toFixed(3)}, run;dur=${answer.runMs.toFixed(3)}`);
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

/** The client's own limit, in whole milliseconds. Throws `invalid_request`. */
function readTimeout(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[1-9]\d{0,8}$/.test(header)) return Number(header);
  throw new ServiceError('invalid_request', {
    detail: 'The header x-request-timeout-ms takes a whole number of milliseconds from 1 to 999999999.',
  });
}

export default predictRoutes;
