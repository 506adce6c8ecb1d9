import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { errorCatalogue, type ServiceError } from '../errors.js';
import { LineLimit } from '../log/line-limit.js';
import { toLoggedError } from '../log/logged-error.js';
import type { Registry } from '../models/registry/registry.js';
import { hideKeys } from '../text/describe-value.js';

/** What the log says of a request that is refused. */
export interface RefusedRequest {
  readonly request_id: string;
  readonly method?: string;
  /** The address as the server knows it, without what the client put in. */
  readonly route?: string;
  readonly model?: string;
  readonly model_version?: string;
  readonly prediction_id?: string;
  /** The id of the API key. */
  readonly key?: string;
}

/** Logs that a request is refused. `describe` is called where there is a line. */
export type FaultLog = (log: FastifyBaseLogger, error: ServiceError, describe: () => RefusedRequest) => void;

/**
 * A line for each refused request: of a fault of ours at the level `error`, of one that passes at `warn`, of a refusal
 * at `info`. Of a flood of one code there is a line a second, with the number of those before it that had none: a line
 * for each would cost more than the refusal, and fill the disk.
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
    // The sentence about a refusal may quote the client, who may be a person.
    log[level](line, status < 500 ? errorCatalogue[code].title : hideKeys(error.message));
  };
}

/** Of a request that came as far as to be one. */
export function describeRefused(request: FastifyRequest): RefusedRequest {
  const { id, method, prediction, key, routeOptions } = request;
  const route = routeOptions.config.address ?? routeOptions.url;
  const { model, version } = (request.params ?? {}) as { model?: unknown; version?: unknown };
  return {
    request_id: id,
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

/** What an address names, where there is such a model or version: any other text of a client stays out of the log. */
function findNames(registry: Registry | undefined, name: unknown, version: unknown): Partial<RefusedRequest> {
  const model = registry?.list().find((it) => it.name === name);
  if (model === undefined) return {};
  const isVersion =
    typeof version === 'string' && (model.versions.has(version) || model.aliases.has(version));
  return { model: model.name, ...(isVersion && { model_version: version }) };
}
