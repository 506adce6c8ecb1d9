import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.js';
import type { PredictionRequest } from '../predictor.js';

/** Reads the version and the call context from a request's path and headers. Throws `invalid_request`. */
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
    trace: request.trace,
    source: headers['x-sardonyx-source'] === 'console' ? 'console' : 'online',
    parsedSince: request.parsedSince || undefined,
    caching: readCaching(headers['cache-control']),
    caller: {
      arrivedAt: app.arrivedAt(raw.socket),
      timeoutMs: readTimeout(headers['x-request-timeout-ms']),
      connection: raw.socket,
      requestId,
    },
  };
}

function readTimeout(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[1-9]\d{0,8}$/.test(header)) return Number(header);
  throw new ServiceError('invalid_request', {
    detail: 'The header x-request-timeout-ms takes a whole number of milliseconds from 1 to 999999999.',
  });
}

/** RFC 9111, 5.2.1: with `no-cache` the answer is computed anew; with `no-store` it is not cached either. */
function readCaching(header: string | undefined): 'normal' | 'bypass' | 'none' {
  if (header === undefined) return 'normal';
  const directives = header.toLowerCase().split(',');
  if (directives.some((it) => it.trim() === 'no-store')) return 'none';
  return directives.some((it) => it.trim() === 'no-cache') ? 'bypass' : 'normal';
}

/** The value of `x-cache` for each result: it says whether the model ran for this request. */
export const shownCacheResults = {
  hit: 'hit',
  shared: 'hit',
  miss: 'miss',
  bypass: 'miss',
  aside: 'off',
  off: 'off',
} as const;
