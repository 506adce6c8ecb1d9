import type { Limit } from '../rate-limit/limiter.js';

/** What a key may do; each route names the one that it needs. */
export const scopes = ['predict', 'read', 'metrics', 'admin'] as const;

export type Scope = (typeof scopes)[number];

/** One entry of the keys' file, checked. Of a key only the digest is known here. */
export interface ApiKey {
  /** Names the client in logs, metrics and jobs. Several keys may share one, so that a client can change its key. */
  readonly id: string;
  /** SHA-256 of the key, in hexadecimal. */
  readonly sha256: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The models that it may use, by name; undefined for all. */
  readonly models: ReadonlySet<string> | undefined;
  /** Of its own; undefined for that of the server. */
  readonly limit: Limit | undefined;
  /** By `Date.now()`; undefined for never. */
  readonly expiresAt: number | undefined;
}
