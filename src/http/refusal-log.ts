import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { errorCatalogue, type ServiceError } from '../errors.js';
import { LineLimit } from '../log/line-limit.js';
import { toLoggedError } from '../log/logged-error.js';
import type { Registry } from '../models/registry/registry.js';
import { hideKeys } from '../text/describe-value.js';

/** The log fields of a refused request. */
export interface RefusedRequest {
  readonly request_id: string;
  /** With traces only. */
  readonly trace_id?: string;
  readonly method?: string;
  /** The route's pattern, without values from the client. */
  readonly route?: string;
  readonly model?: string;
  readonly model_version?: string;
  readonly prediction_id?: string;
  /** The id of the API key. */
  readonly key?: string;
}

/** Logs a refused request. `describe` is called only if a line is written. */
export type FaultLog = (log: FastifyBaseLogger, error: ServiceError, describe: () => RefusedRequest) => void;

/**
 * Logs one line for each refused request: a fault of the server at `error`, a 503 at `warn`, a fault of the client at
 * `info`. In a flood, each code gets one line a second, with the number of unlogged requests before it. A line for each
 * would cost more than the refusal, and fill the disk.
 */
export function createFaultLog(): FaultLog {
  const limit = new LineLimit();
  return (log, error, describe) => {
    const { code, status, cause } = error;
    const unlogged = limit.take(code);
    if (unlogged === undefined) return;
    const line = {
      ...describe(),
      status,
      code,
      ...(status >= 500 && cause !== undefined && { err: toLoggedError(cause) }),
      ...(unlogged > 0 && { unlogged }),
    };
    const level = status < 500 ? 'info' : status === 503 ? 'warn' : 'error';
    // The message of a 4xx may quote the request, which may hold personal data.
    log[level](line, status < 500 ? errorCatalogue[code].title : hideKeys(error.message));
  };
}

export function describeRefused(request: FastifyRequest): RefusedRequest {
  const { id, method, prediction, key, routeOptions, trace } = request;
  const route = routeOptions.config.address ?? routeOptions.url;
  const { model, version } = (request.params ?? {}) as { model?: unknown; version?: unknown };
  return {
    request_id: id,
    ...(trace && { trace_id: trace.traceId }),
    method,
    ...(route !== undefined && { route }),
    ...(prediction
      ? {
          model: prediction.model,
          model_version: prediction.version,
          prediction_id: prediction.predictionId,
        }
      : findNames(request.server.registry, model, version)),
    ...(key && { key: key.id }),
  };
}

/** The model and version of an address, if they exist. Other texts of the client are not logged. */
function findNames(registry: Registry | undefined, name: unknown, version: unknown): Partial<RefusedRequest> {
  const model = registry?.list().find((it) => it.name === name);
  if (model === undefined) return {};
  const isVersion =
    typeof version === 'string' && (model.versions.has(version) || model.aliases.has(version));
  return { model: model.name, ...(isVersion && { model_version: version }) };
}
