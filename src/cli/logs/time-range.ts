import { readDay, readTime } from '../../time/timestamp.js';
import { type Args, UsageError } from '../terminal/command.js';

/** Milliseconds since the epoch: predictions before `sinceMs`, and from `untilMs` on, are left out. */
export interface TimeRange {
  readonly sinceMs: number;
  readonly untilMs: number;
}

export const rangeHelp = `  --since TIME              leaves out predictions before a time, such as 2027-01-01 or 2027-01-01T06:00:00Z
  --until TIME              leaves out predictions from a time on`;

/** Reads `--since` and `--until`. Throws `UsageError`. */
export function readTimeRange(args: Args): TimeRange {
  const read = (name: string, fallback: number): number => {
    const text = args.text(name);
    const ms = text === undefined ? fallback : (readDay(text) ?? readTime(text));
    if (ms === undefined)
      throw new UsageError(
        `--${name}: got ${JSON.stringify(text)}, takes a day in UTC such as "2027-01-01", or a time by RFC 3339 such as "2027-01-01T10:58:00Z"`,
      );
    return ms;
  };
  const range = {
    sinceMs: read('since', Number.NEGATIVE_INFINITY),
    untilMs: read('until', Number.POSITIVE_INFINITY),
  };
  if (range.sinceMs >= range.untilMs) throw new UsageError('--until must be later than --since');
  return range;
}

/** Whether a time by RFC 3339 is in a range. */
export function isWithin(time: string, { sinceMs, untilMs }: TimeRange): boolean {
  if (sinceMs === Number.NEGATIVE_INFINITY && untilMs === Number.POSITIVE_INFINITY) return true;
  const ms = Date.parse(time);
  return ms >= sinceMs && ms < untilMs;
}
