import type { Limit, LimitResult } from './limiter.js';

/** Requests with a key count by its id, others by address. Documents (open to all) have a count of their own. */
export type CountedBy = 'key' | 'address' | 'documents';

/** Headers of draft-ietf-httpapi-ratelimit-headers, revision 11 (23 May 2026): lists of RFC 9651, one policy each. */
export interface Policy {
  readonly limit: Limit;
  readonly name: string;
  /** `RateLimit-Policy`: at most `q` requests in `w` seconds. */
  readonly header: string;
  readonly detail: string;
}

/** Where the headers of an answer are set. */
export interface HeaderSink {
  header(name: string, value: string): unknown;
}

const whose: Readonly<Record<CountedBy, string>> = {
  key: 'this key',
  address: 'an address without a key',
  documents: 'an address for documents',
};

export function createPolicy(limit: Limit, by: CountedBy): Policy {
  return describePolicy(limit, by === 'documents' ? by : 'default', by, '');
}

/** A limit on the rows of all requests together. */
function createRowPolicy(limit: Limit, by: 'key' | 'address'): Policy {
  return describePolicy(limit, 'rows', by, ' rows');
}

function describePolicy(limit: Limit, name: string, by: CountedBy, unit: string): Policy {
  const seconds = limit.windowMs / 1_000;
  return {
    limit,
    name,
    header: `"${name}";q=${limit.max};w=${seconds}`,
    detail: `The limit of ${whose[by]} is ${limit.max}${unit} in ${seconds} s.`,
  };
}

/** `RateLimit`: `r` requests are left, and more after `t` seconds. `t` is never below `Retry-After`. */
export function toRateLimit({ name }: Policy, { remaining, resetMs }: LimitResult): string {
  return `"${name}";r=${remaining};t=${toWholeSeconds(resetMs)}`;
}

/** Rounds up, so that a client that waits this long is admitted. */
export function toWholeSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

const defaultMax = 100;

/** The manual is a page and seven files, so it opens even with a limit of 1. */
const documentsPerRequest = 10;

/** Rows for each request that a client may send, so that batches do not evade its limit. */
const rowsPerRequest = 1_000;

export interface LimitSettings {
  /** Requests in a window; 0 for no limit. */
  readonly max: number | undefined;
  readonly windowMs: number;
  readonly isLoopback: boolean;
}

/** On a loopback host all clients share one address, so addresses have a limit there only if one is configured. */
export function choosePolicies({
  max,
  windowMs,
  isLoopback,
}: LimitSettings): Readonly<Record<CountedBy, Policy | undefined>> {
  const policyOf = (maxOf: number | undefined, by: CountedBy) =>
    maxOf === undefined || maxOf === 0 ? undefined : createPolicy({ max: maxOf, windowMs }, by);
  const ofAddress = addressMax(max, isLoopback);
  return {
    key: policyOf(max, 'key'),
    address: policyOf(ofAddress, 'address'),
    documents: policyOf(ofAddress === undefined ? undefined : ofAddress * documentsPerRequest, 'documents'),
  };
}

/** The limits of a key in its entry. */
export interface KeyLimits {
  readonly limit: Limit | undefined;
  readonly rowLimit: Limit | undefined;
}

/**
 * Limits on rows: that of the key, else `rows` of the server (0 for no limit), else 1,000 for each request that the
 * client may send. Returns undefined if the client has no limit.
 */
export function chooseRowPolicy(
  { max, rows, windowMs, isLoopback }: LimitSettings & { readonly rows: number | undefined },
  key: KeyLimits | null,
): Policy | undefined {
  const by = key === null ? 'address' : 'key';
  if (key?.rowLimit !== undefined) return createRowPolicy(key.rowLimit, by);
  if (rows !== undefined) return rows === 0 ? undefined : createRowPolicy({ max: rows, windowMs }, by);
  if (key?.limit !== undefined)
    return createRowPolicy({ ...key.limit, max: key.limit.max * rowsPerRequest }, by);
  const requests = (key === null ? addressMax(max, isLoopback) : max) ?? 0;
  return requests === 0 ? undefined : createRowPolicy({ max: requests * rowsPerRequest, windowMs }, by);
}

function addressMax(max: number | undefined, isLoopback: boolean): number | undefined {
  return max ?? (isLoopback ? undefined : defaultMax);
}
