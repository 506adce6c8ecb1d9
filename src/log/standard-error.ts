import { type LogDestination, openDestination } from './destination.js';

let destination: LogDestination | undefined;

/** To be called before the file behind it can have been renamed: `reopenLog` then knows its name. */
export function openStandardError(): LogDestination {
  destination ??= openDestination(2, { toReport: () => '', onReopenFailed: () => undefined });
  return destination;
}

/**
 * Writes what a person reads to standard error. Nobody need read it: what cannot be written holds nothing up and does
 * not keep the process from its end, as `process.stderr` does behind a pipe that is full.
 */
export function writeToPerson(text: string): void {
  openStandardError().write(text);
}
