import { stdSerializers } from 'pino';
import { describeValue, hideKeys } from '../text/describe-value.js';

const maxMessage = 1_000;
const maxStack = 4_000;

/** Converts a thrown value for the log: with its causes, cut to a maximum length, and with API keys hidden. */
export function toLoggedError(thrown: unknown): Readonly<Record<string, unknown>> {
  if (!(thrown instanceof Error)) return { message: hideKeys(describeValue(thrown)) };
  const { type, message, stack } = stdSerializers.err(thrown);
  const { code } = thrown as NodeJS.ErrnoException;
  return {
    type,
    message: tidy(message, maxMessage),
    stack: tidy(stack ?? '', maxStack),
    ...(code !== undefined && { code }),
  };
}

function tidy(text: string, maxLength: number): string {
  return hideKeys(text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text).toWellFormed();
}
