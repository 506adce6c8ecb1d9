import { type ErrorCode, ServiceError, type ServiceErrorDetails } from '../errors.js';
import { modelNotFound } from '../models/registry/choose-version.js';
import type { ApiKey, Scope } from './api-key.js';
import { isWellFormed } from './credential.js';
import type { FailureLimit } from './failure-limit.js';
import type { KeyRing } from './key-ring.js';

export const failureReasons = ['missing', 'invalid', 'forbidden'] as const;

export type FailureReason = (typeof failureReasons)[number];

export interface ModelNames {
  /** Resolves an alias. Other names are returned unchanged, whether the model exists or not. */
  resolveName(name: string): string;
  readonly defaultName: string | undefined;
  readonly names: readonly string[];
}

export interface AuthorizerOptions {
  readonly ring: KeyRing;
  readonly failures: FailureLimit;
  readonly onFailure: (reason: FailureReason) => void;
}

export interface Authorizer {
  /**
   * Returns the key that a request presents. Throws `api_key_missing` for no text or a malformed one, `api_key_invalid`
   * for an unknown, expired or revoked key, and `rate_limited` instead of both if the client has failed too often.
   */
  authenticate(text: string | undefined, client: () => string): ApiKey;
  requireScope(key: ApiKey, scope: Scope): void;
  /** Throws `forbidden`. `model` is a name or an alias; undefined for plain `/predict`. */
  checkModel(key: ApiKey, model: string | undefined, names: ModelNames): void;
  /** Throws `forbidden` if the key may use only some models. */
  checkAllModels(key: ApiKey): void;
}

const challenge = { 'www-authenticate': 'Bearer realm="sardonyx"' };

export function createAuthorizer({ ring, failures, onFailure }: AuthorizerOptions): Authorizer {
  const refuse = (reason: FailureReason, code: ErrorCode, details: ServiceErrorDetails = {}) => {
    onFailure(reason);
    return new ServiceError(code, details);
  };
  // A blocked address gets a 429 for a wrong key, but a right key is accepted: behind a proxy many clients share one
  // address. So keys are hashed even then (2 µs). 256 bits cannot be guessed at any rate: the block only makes a
  // client's mistake visible and its flood cheap.
  const refuseWrong = (
    reason: FailureReason,
    code: ErrorCode,
    client: string,
    details?: ServiceErrorDetails,
  ) => {
    const blockedMs = failures.blockedMs(client);
    if (blockedMs === undefined) {
      failures.record(client);
      return refuse(reason, code, details);
    }
    const retryAfterSeconds = Math.max(1, Math.ceil(blockedMs / 1_000));
    const detail = 'Too many wrong API keys came from this address.';
    return refuse(reason, 'rate_limited', { detail, retryAfterSeconds });
  };
  const forbid = (detail: string) => refuse('forbidden', 'forbidden', { detail });

  return {
    authenticate(text, client) {
      if (text === undefined) throw refuse('missing', 'api_key_missing', { headers: challenge });
      const known = ring.recall(text);
      if (known !== undefined) return known;
      if (!isWellFormed(text))
        throw refuseWrong('missing', 'api_key_missing', client(), { headers: challenge });
      const found = ring.verify(text);
      if (found === undefined) throw refuseWrong('invalid', 'api_key_invalid', client());
      return found;
    },
    requireScope({ scopes }, scope) {
      if (!scopes.has(scope)) throw forbid(`It lacks the scope ${scope}.`);
    },
    checkModel({ models }, model, names) {
      if (models === undefined) return;
      const name = model === undefined ? names.defaultName : names.resolveName(model);
      if (name === undefined || !models.has(name)) throw forbidModel();
      // The 404 for an unknown model lists only models that this key may use.
      if (name === model && !names.names.includes(name)) {
        throw modelNotFound(
          name,
          names.names.filter((it) => models.has(it)),
        );
      }
    },
    checkAllModels({ models }) {
      if (models !== undefined) throw forbidModel();
    },
  };

  function forbidModel(): ServiceError {
    return forbid('It may not use this model.');
  }
}
