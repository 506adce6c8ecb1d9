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

/** On a loopback host all clients share one address, so addresses have a limit there only if one is configured. */
export function choosePolicies(
  max: number | undefined,
  windowMs: number,
  isLoopback: boolean,
): Readonly<Record<CountedBy, Policy | undefined>> {
  const policyOf = (maxOf: number | undefined, by: CountedBy) =>
    maxOf === undefined || maxOf === 0 ? undefined : createPolicy({ max: maxOf, windowMs }, by);
  const ofAddress = max ?? (isLoopback ? undefined : defaultMax);
  return {
    key: policyOf(max, 'key'),
    address: policyOf(ofAddress, 'address'),
    documents: policyOf(ofAddress === undefined ? undefined : ofAddress * documentsPerRequest, 'documents'),
  };
}
