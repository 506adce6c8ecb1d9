import type { Limit } from '../rate-limit/limiter.js';

export const scopes = ['predict', 'read', 'metrics', 'admin'] as const;

export type Scope = (typeof scopes)[number];

/** A checked entry of the key file, which holds digests only. */
export interface ApiKey {
  /** Names the client in logs and metrics. Several keys may share an id, so that a client can change its key. */
  readonly id: string;
  readonly sha256: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Undefined: all models. */
  readonly models: ReadonlySet<string> | undefined;
  /** Undefined: the server's limit. */
  readonly limit: Limit | undefined;
  /** The limit on rows. Undefined: the server's. */
  readonly rowLimit: Limit | undefined;
  /** As `Date.now()`; undefined for never. */
  readonly expiresAt: number | undefined;
}
