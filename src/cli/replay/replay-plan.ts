import { readTimeRange, type TimeRange } from '../logs/time-range.js';
import { type Args, UsageError } from '../terminal/command.js';

export interface ReplayPlan extends TimeRange {
  readonly logs: readonly string[];
  readonly model: string;
  /** The version that is judged, or an alias. */
  readonly candidate: string;
  /** Only lines of this version are compared; undefined for lines of all versions. */
  readonly baseline: string | undefined;
  /** A share of the rows, from 0 to 1. */
  readonly maxDisagreement: number;
  /** Two numbers agree within this times max(1, |old|). */
  readonly tolerance: number;
  /** The most rows to replay. */
  readonly limit: number;
}

/** Throws `UsageError`. */
export function readPlan(args: Args): ReplayPlan {
  if (args.positionals.length === 0) throw new UsageError('the log is missing: sardonyx replay LOG…');
  const need = (name: string): string => {
    const value = args.text(name);
    if (value === undefined) throw new UsageError(`--${name} is missing`);
    return value;
  };
  const number = (name: string, fallback: number, max: number): number => {
    const text = args.text(name);
    if (text === undefined) return fallback;
    const value = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 0 && value <= max))
      throw new UsageError(`--${name}: got ${JSON.stringify(text)}, takes a number from 0 to ${max}`);
    return value;
  };
  const limit = args.text('limit');
  if (limit !== undefined && !/^[1-9]\d{0,14}$/.test(limit))
    throw new UsageError(`--limit: got ${JSON.stringify(limit)}, takes a whole number from 1`);
  return {
    logs: args.positionals,
    model: need('model'),
    candidate: need('candidate'),
    baseline: args.text('baseline'),
    maxDisagreement: number('max-disagreement', 0.01, 1),
    tolerance: number('tolerance', 1e-5, 1e9),
    limit: limit === undefined ? Number.POSITIVE_INFINITY : Number(limit),
    ...readTimeRange(args),
  };
}
