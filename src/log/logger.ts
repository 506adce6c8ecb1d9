import { type Logger, pino } from 'pino';
import { openDestination } from './destination.js';

/** Logs JSON lines to a file descriptor, by default standard output. `bindings` become fields of each line. */
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
      reports.warn({ lines }, 'lines of the log were lost: they could not be written');
      return report;
    },
    onReopenFailed: (err, path) =>
      logger.error({ err, path }, 'the log file cannot be reopened: the old file stays in use'),
  });
  const logger: Logger = pino({ level }, destination).child(bindings);
  return logger;
}
