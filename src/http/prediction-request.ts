import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';
import type { PredictionRequest } from '../predictor.js';

/** The version and the caller of a prediction, from a request's path and headers. Throws `invalid_request`. */
export function readPredictionRequest(app: FastifyInstance, request: FastifyRequest): PredictionRequest {
  const { id: requestId, headers, raw } = request;
  const { model, version } = request.params as { readonly model?: string; readonly version?: string };
  return {
    model,
    version,
    requestId,
    keyId: request.key?.id,
    onBegun: (prediction) => {
      request.prediction = prediction;
    },
    caching: readCaching(headers['cache-control']),
    caller: {
      arrivedAt: app.arrivedAt(raw.socket),
      timeoutMs: readTimeout(headers['x-request-timeout-ms']),
      connection: raw.socket,
      requestId,
    },
  };
}

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

/** What `x-cache` says: a client sees whether a run was made for it. */
export const shownCacheResults = {
  hit: 'hit',
  shared: 'hit',
  miss: 'miss',
  bypass: 'miss',
  aside: 'off',
  off: 'off',
} as const;
