/** The window of a rate limit: `1 minute`, `30 seconds`, `1 day`. */
export const windowPattern = /^([1-9]\d{0,5}) (second|minute|hour|day)s?$/;

export const windowForm = 'a time such as "1 minute", "30 seconds" or "1 day"';

const unitMs = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

export function readWindowMs(text: string): number {
  const [, count, unit] = windowPattern.exec(text) ?? [];
  return Number(count) * unitMs[unit as keyof typeof unitMs];
}

/** Rounds milliseconds to whole microseconds, as answers and log lines show them. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
