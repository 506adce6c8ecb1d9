import { stdSerializers } from 'pino';
import { describeValue, hideKeys } from '../text/describe-value.js';

const maxMessage = 1_000;
const maxStack = 4_000;

/** What was thrown, as it may stand in the log: with its causes, but cut, and without the keys that may be in it. */
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

function tidy(text: string, longest: number): string {
  return hideKeys(text.length > longest ? `${text.slice(0, longest - 1)}…` : text).toWellFormed();
}
