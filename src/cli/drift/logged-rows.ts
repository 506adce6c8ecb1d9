import type { Answer, FeatureRow, Prediction } from '../../models/tasks/task.js';
import type { DriftColumn } from '../../monitoring/drift/drift-column.js';
import type { DriftSample } from '../../monitoring/drift/drift-sample.js';
import { DriftWindow } from '../../monitoring/drift/drift-window.js';
import { type LogLine, readLog } from '../logs/log-lines.js';

export interface LoggedRows {
  /** Undefined if no line has a row that can be compared. */
  readonly sample: DriftSample | undefined;
  /** Lines by the reason why they are left out. */
  readonly leftOut: ReadonlyMap<string, number>;
}

export interface LineFilter {
  readonly model: string | undefined;
  readonly version: string | undefined;
}

/** Reads the predictions of logs, of which at most `maxRows` are drawn evenly. Throws as `readLog` does. */
export async function readLoggedRows(
  paths: readonly string[],
  columns: readonly DriftColumn[],
  filter: LineFilter,
  maxRows: number,
  signal: AbortSignal,
): Promise<LoggedRows> {
  // A window has four parts, of which only the first is used here.
  const window = new DriftWindow(columns, { rows: 4 * maxRows, ms: Number.POSITIVE_INFINITY });
  const leftOut = new Map<string, number>();
  for (const path of paths) {
    for await (const lines of readLog(path)) {
      signal.throwIfAborted();
      for (const line of lines) {
        const reason = findReason(line, filter);
        if (reason !== undefined) leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
        else if (typeof line === 'object') window.observe(line.request as FeatureRow, answerOf(line), 0);
      }
    }
  }
  return { sample: window.sample(0), leftOut };
}

function findReason(line: LogLine, { model, version }: LineFilter): string | undefined {
  if (line === 'cut') return 'cut last lines';
  if (typeof line === 'string') return 'lines that are no prediction';
  if (model !== undefined && line.model !== model) return 'predictions of other models';
  if (version !== undefined && line.model_version !== version) return 'predictions of other versions';
  if (line.status !== 'ok') return 'predictions that failed';
  return typeof line.request === 'object' && line.request !== null
    ? undefined
    : 'predictions without their request';
}

/** What a log holds is hostile: a value of another type counts as missing. */
function answerOf({ prediction, probability }: Exclude<LogLine, string>): Answer {
  const value = { prediction, probability } as Prediction;
  return { value: prediction === null ? { ...value, prediction: '' } : value, fieldsJson: '' };
}
