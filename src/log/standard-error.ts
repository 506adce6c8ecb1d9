import { type LogDestination, openDestination } from './destination.js';

let destination: LogDestination | undefined;

/** Call early, before log rotation may rename the file behind it: `reopenLog` needs the file's path. */
export function openStandardError(): LogDestination {
  destination ??= openDestination(2, { toReport: () => '', onReopenFailed: () => undefined });
  return destination;
}

/** Never blocks, and does not delay the end of the process as `process.stderr` does on a full pipe. */
export function writeToPerson(text: string): void {
  openStandardError().write(text);
}
