import { ServiceError } from '../errors.js';
import type { Limiter, LimitResult } from './limiter.js';
import { type Policy, toWholeSeconds } from './policy.js';

/** The rows that the client of one request may still send. */
export interface RowLimit {
  /** A request with more rows can never pass. */
  readonly max: number;
  /** The error for such a request: `body_too_large`, since a retry does not help. */
  refuse(): ServiceError;
  /** Counts the rows, all or none, before any of them is run, and before a job is accepted. Throws `rate_limited` and that of `refuse`. */
  take(rows: number): Promise<void>;
}

/** `onResult` gets what the limiter said before a refusal is thrown; undefined if it was not asked. */
export function createRowLimit(
  limiter: Limiter,
  id: string,
  policy: Policy,
  onResult: (result: LimitResult | undefined) => void,
): RowLimit {
  const { limit, detail } = policy;
  const refuse = () => {
    onResult(undefined);
    return new ServiceError('body_too_large', {
      detail: `${detail} This request has more: send its rows in several requests, and wait between them.`,
    });
  };
  return {
    max: limit.max,
    refuse,
    async take(rows) {
      if (rows > limit.max) throw refuse();
      const result = await limiter.take(id, limit, rows);
      onResult(result);
      if (result.isAdmitted) return;
      throw new ServiceError('rate_limited', {
        detail: `${detail} ${result.remaining} are left, and this request has ${rows}.`,
        retryAfterSeconds: toWholeSeconds(result.resetMs),
      });
    },
  };
}
