import { type LogDestination, openDestination } from './destination.js';

let destination: LogDestination | undefined;

/**
 * Writes what a person reads to standard error. Nobody need read it: what cannot be written holds nothing up and does
 * not keep the process from its end, as `process.stderr` does behind a pipe that is full.
 */
export function writeToPerson(text: string): void {
  destination ??= openDestination(2, { toReport: () => '', onReopenFailed: () => undefined });
  destination.write(text);
}
