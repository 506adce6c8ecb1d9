import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';

const contentType = 'application/json; charset=utf-8';

/** What `x-cache` says: a client sees whether a run was made for it. */
const shownResults = { hit: 'hit', shared: 'hit', miss: 'miss', bypass: 'miss', off: 'off' } as const;

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
    reply.header('content-type', contentType).header('x-cache', shownResults[cache ?? 'off']);
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

/** The client's own limit, in whole milliseconds. Throws `invalid_request`. */
function readTimeout(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[1-9]\d{0,8}$/.test(header)) return Number(header);
  throw new ServiceError('invalid_request', {
    detail: 'The header x-request-timeout-ms takes a whole number of milliseconds from 1 to 999999999.',
  });
}

/** RFC 9111, 5.2.1: `no-cache` wants a new answer, `no-store` wants it forgotten as well. */
function readCaching(header: string | undefined): 'normal' | 'bypass' | 'none' {
  if (header === undefined) return 'normal';
  const directives = header.toLowerCase().split(',');
  if (directives.some((it) => it.trim() === 'no-store')) return 'none';
  return directives.some((it) => it.trim() === 'no-cache') ? 'bypass' : 'normal';
}

export default predictRoutes;
