import { RefusedError } from '../../errors.js';
import type { Answer, FeatureRow, Prediction } from '../../models/tasks/task.js';
import type { DriftColumn } from '../../monitoring/drift/drift-column.js';
import type { DriftSample } from '../../monitoring/drift/drift-sample.js';
import { DriftWindow } from '../../monitoring/drift/drift-window.js';
import { type LogLine, readLog } from '../logs/log-lines.js';
import { isWithin, type TimeRange } from '../logs/time-range.js';
import type { CliContext } from '../terminal/command.js';

export interface LoggedRows {
  /** Undefined if no line has a row that can be compared. */
  readonly sample: DriftSample | undefined;
  /** Lines by the reason why they are left out. */
  readonly leftOut: ReadonlyMap<string, number>;
  /** Features that are not in plain text in some of the lines. */
  readonly redacted: ReadonlySet<string>;
}

const maxRedacted = 10_000;

export interface LineFilter extends TimeRange {
  /** Undefined: the log must have one model. */
  readonly model: string | undefined;
  readonly version: string | undefined;
}

/**
 * Reads the predictions of logs, of which at most `maxRows` are drawn evenly. Throws as `readLog` does, and
 * `RefusedError` for predictions of several models.
 */
export async function readLoggedRows(
  paths: readonly string[],
  columns: readonly DriftColumn[],
  filter: LineFilter,
  maxRows: number,
  stdin: CliContext['stdin'],
  signal: AbortSignal,
): Promise<LoggedRows> {
  const window = new DriftWindow(columns, { rows: maxRows, ms: Number.POSITIVE_INFINITY });
  const leftOut = new Map<string, number>();
  const redacted = new Set<string>();
  let only = filter.model;
  for (const path of paths) {
    for await (const lines of readLog(path, stdin)) {
      signal.throwIfAborted();
      for (const line of lines) {
        const reason = findReason(line, filter);
        if (reason !== undefined) leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
        else if (typeof line === 'object') {
          only ??= line.model;
          if (line.model !== only) throw refuseSeveral([only, line.model]);
          if (Array.isArray(line.redacted)) addNames(redacted, line.redacted);
          window.observe(line.request as FeatureRow, answerOf(line), 0);
        }
      }
    }
  }
  return { sample: window.sample(0), leftOut, redacted };
}

function findReason(line: LogLine, { model, version, ...range }: LineFilter): string | undefined {
  if (line === 'cut') return 'cut last lines';
  if (typeof line === 'string') return 'lines that are no prediction';
  if (model !== undefined && line.model !== model) return 'predictions of other models';
  if (version !== undefined && line.model_version !== version) return 'predictions of other versions';
  if (!isWithin(line.time, range)) return 'predictions outside --since and --until';
  if (line.status !== 'ok') return 'predictions that failed';
  // As on the server.
  if (line.source === 'console') return 'rows of the console';
  if (line.source === 'job') return 'rows of jobs, which may be of any time';
  return typeof line.request === 'object' && line.request !== null
    ? undefined
    : 'predictions without their request';
}

/** Rows of another model would count as rows with missing values. */
function refuseSeveral(models: readonly string[]): RefusedError {
  return new RefusedError(
    `the log has predictions of several models, such as ${models.join(' and ')}: name one with --model`,
  );
}

function addNames(to: Set<string>, names: readonly unknown[]): void {
  for (const name of names) if (typeof name === 'string' && to.size < maxRedacted) to.add(name);
}

/** What a log holds is hostile: a value of another type counts as missing. */
function answerOf({ prediction, probability }: Exclude<LogLine, string>): Answer {
  const value = { prediction, probability } as Prediction;
  return { value: prediction === null ? { ...value, prediction: '' } : value, fieldsJson: '' };
}
