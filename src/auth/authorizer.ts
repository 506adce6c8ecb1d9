import { type ErrorCode, ServiceError, type ServiceErrorDetails } from '../errors.js';
import { modelNotFound } from '../models/registry/choose-version.js';
import type { ApiKey, Scope } from './api-key.js';
import { isWellFormed } from './credential.js';
import type { FailureLimit } from './failure-limit.js';
import type { KeyRing } from './key-ring.js';

/** Why somebody was not let in: the label of a metric. */
export const failureReasons = ['missing', 'invalid', 'forbidden'] as const;

export type FailureReason = (typeof failureReasons)[number];

/** What the gate asks of the registry. */
export interface ModelNames {
  /** The model behind a name or an alias, whether it is there or not. */
  resolveName(name: string): string;
  /** The model that plain `/predict` means; undefined where there is none. */
  readonly defaultName: string | undefined;
  readonly names: readonly string[];
}

export interface AuthorizerOptions {
  readonly ring: KeyRing;
  readonly failures: FailureLimit;
  readonly onFailure: (reason: FailureReason) => void;
}

/** Decides who comes in and what they may do. What it throws is the answer. */
export interface Authorizer {
  /**
   * The key of whom a text is from. Throws `api_key_missing` where there is no text, or none that may be a key;
   * `api_key_invalid` for one that is unknown, has expired or was revoked; `rate_limited` in place of both where the
   * client has failed too often. `client` is asked for only then.
   */
  authenticate(text: string | undefined, client: () => string): ApiKey;
  /** Throws `forbidden` where a key lacks a scope. */
  requireScope(key: ApiKey, scope: Scope): void;
  /** Throws `forbidden` where a key may not use a model, by its name or an alias; undefined for plain `/predict`. */
  checkModel(key: ApiKey, model: string | undefined, names: ModelNames): void;
  /** Throws `forbidden` where a key may not use every model. */
  checkAllModels(key: ApiKey): void;
}

const challenge = { 'www-authenticate': 'Bearer realm="sardonyx"' };

export function createGate({ ring, failures, onFailure }: AuthorizerOptions): Authorizer {
  const refuse = (reason: FailureReason, code: ErrorCode, details: ServiceErrorDetails = {}) => {
    onFailure(reason);
    return new ServiceError(code, details);
  };
  /**
   * A client that is barred gets a 429 for a wrong key, and is let in with a right one: many clients share one address
   * behind a proxy, and one with a wrong key among them must not keep the others out. So a new key is hashed even
   * then. That gives nothing away: to guess 256 bits, 20 tries a minute are as hopeless as all that 2 µs each allow;
   * the bar is there to make an error of a client plain, and its flood cheap.
   */
  const refuseWrong = (
    reason: FailureReason,
    code: ErrorCode,
    client: string,
    details?: ServiceErrorDetails,
  ) => {
    const barredMs = failures.isBarred(client);
    if (barredMs === undefined) {
      failures.tell(client);
      return refuse(reason, code, details);
    }
    const retryAfterSeconds = Math.max(1, Math.ceil(barredMs / 1_000));
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
      // Whoever asks for what is not there is told what there is: of that, no more than this key may use.
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
