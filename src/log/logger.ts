import { type Logger, pino } from 'pino';
import { openDestination } from './destination.js';

/** Logs JSON lines to a descriptor, by default standard output. `bindings` are members of each line. */
export function createLogger(
  level: string,
  bindings: Readonly<Record<string, unknown>> = {},
  fd = 1,
): Logger {
  let report = '';
  const reports = pino({ level }, { write: (line) => (report = line) }).child(bindings);
  const destination = openDestination(fd, {
    toReport(lines) {
      report = '';
      reports.warn({ lines }, 'lines of the log were lost: it could not be written');
      return report;
    },
    onReopenFailed: (err, path) =>
      logger.error({ err, path }, 'the log cannot be opened again: the old file stays in use'),
  });
  const logger: Logger = pino({ level }, destination).child(bindings);
  return logger;
}
