import type { Limit, LimitResult } from './limiter.js';

/**
 * By what is counted: the id of a key, or the address where there is no key. Documents are open to all, and counted by
 * the address, apart from the rest.
 */
export type CountedBy = 'key' | 'address' | 'documents';

/**
 * A limit, and what clients are told of it, made once. The headers are those of revision 11 of
 * draft-ietf-httpapi-ratelimit-headers (23 May 2026): lists of RFC 9651, with one policy each by its name.
 */
export interface Policy {
  readonly limit: Limit;
  readonly name: string;
  /** The value of `RateLimit-Policy`: so many requests (`q`) in a window of so many seconds (`w`). */
  readonly header: string;
  /** For who is refused. */
  readonly detail: string;
}

const whose: Readonly<Record<CountedBy, string>> = {
  key: 'this key',
  address: 'an address without a key',
  documents: 'an address for documents',
};

export function createPolicy(limit: Limit, by: CountedBy): Policy {
  const seconds = limit.windowMs / 1_000;
  const name = by === 'documents' ? by : 'default';
  return {
    limit,
    name,
    header: `"${name}";q=${limit.max};w=${seconds}`,
    detail: `The limit of ${whose[by]} is ${limit.max} in ${seconds} s.`,
  };
}

/**
 * The value of `RateLimit`: so many are left (`r`), and none more for so many seconds (`t`), which is never earlier
 * than what `Retry-After` says of the same verdict.
 */
export function toRateLimit({ name }: Policy, { remaining, resetMs }: LimitResult): string {
  return `"${name}";r=${remaining};t=${toWholeSeconds(resetMs)}`;
}

/** Rounded up: who waits that long has waited long enough. */
export function toWholeSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** The policy of addresses where nothing is configured. */
const defaultMax = 100;

/** The manual is a page and seven files: even with a limit of 1 it can be opened. */
const documentsPerRequest = 10;

/**
 * What holds for those without a limit of their own, by the configuration. On a loopback host everybody has the same
 * address, and addresses have a limit there only if one was set.
 */
export function choosePolicies(
  max: number | undefined,
  windowMs: number,
  isLoopback: boolean,
): Readonly<Record<CountedBy, Policy | undefined>> {
  const policyOf = (most: number | undefined, by: CountedBy) =>
    most === undefined || most === 0 ? undefined : createPolicy({ max: most, windowMs }, by);
  const ofAddress = max ?? (isLoopback ? undefined : defaultMax);
  return {
    key: policyOf(max, 'key'),
    address: policyOf(ofAddress, 'address'),
    documents: policyOf(ofAddress === undefined ? undefined : ofAddress * documentsPerRequest, 'documents'),
  };
}
