const dateTime =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|[+-]([01]\d|2[0-3]):([0-5]\d))$/;

export const timeForm = 'a time by RFC 3339, such as "2027-01-01T00:00:00Z"';

/** Milliseconds since the epoch, or undefined for a text that is no time by RFC 3339, such as the 30th of February. */
export function readTime(text: string): number | undefined {
  const found = dateTime.exec(text);
  if (found === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number);
  // Day 0 of the next month is the last day of this month.
  const isDate =
    month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (!isDate || hour > 23 || minute > 59 || second > 59) return undefined;
  return Date.parse(text.toUpperCase());
}

const days = /^([1-9]\d{0,4})d$/;
const date = /^\d{4}-\d\d-\d\d$/;

/** The first moment of a day in UTC, such as "2027-01-01", as milliseconds since the epoch. Undefined for any other text. */
export function readDay(text: string): number | undefined {
  return date.test(text) ? readTime(`${text}T00:00:00Z`) : undefined;
}

export const expiryForm =
  'a number of days such as "90d", a date such as "2027-01-01", or a time by RFC 3339';

/** Converts an `expiryForm` text to a time by RFC 3339 in UTC. Undefined for any other text. */
export function toExpiry(text: string, now: Date): string | undefined {
  const count = days.exec(text)?.[1];
  if (count !== undefined) return toText(now.getTime() + Number(count) * 86_400_000);
  const time = readDay(text) ?? readTime(text);
  return time === undefined ? undefined : toText(time);
}

function toText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
