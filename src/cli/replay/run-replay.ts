import { RefusedError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { answerChunk } from '../batch/answer-chunk.js';
import { createProgressReport } from '../batch/progress-report.js';
import type { InputRow } from '../batch/rows/batch-row.js';
import { runRows } from '../batch/run-rows.js';
import { readLog } from '../logs/log-lines.js';
import type { CliContext } from '../terminal/command.js';
import { LineChoice, type ReplayableLine, skipReasons } from './choose-lines.js';
import { Comparison } from './comparison.js';
import type { ReplayPlan } from './replay-plan.js';
import { type ReplayReport, toReport } from './replay-report.js';
import { Spread, type SpreadSummary } from './spread.js';

/** Rows that are also answered alone, for the time of a request. */
const maxLatencyRows = 200;

/**
 * Runs the logged requests of a model through the candidate. Resolves with `stopped` once `signal` is aborted. Throws
 * `RefusedError` for a file that is no log, for a model that takes tensors, and if no row can be replayed.
 */
export async function runReplay(
  plan: ReplayPlan,
  loaded: LoadedVersion,
  baseline: string | undefined,
  { stdin, stderr }: Pick<CliContext, 'stdin' | 'stderr'>,
  signal: AbortSignal,
): Promise<ReplayReport | 'stopped'> {
  if (loaded.manifest.task === 'tensor')
    throw new RefusedError(`${loaded.name} takes tensors, and the prediction log has only their shapes`);
  const choice = new LineChoice(plan, loaded.name, baseline);
  const comparison = new Comparison(loaded, plan.tolerance);
  const first: InputRow[] = [];
  const progress = stderr.isTTY === true ? createProgressReport(stderr, 0) : undefined;
  const started = performance.now();
  let isWhole: boolean;
  try {
    isWhole = await runRows(loaded, readRows(plan, stdin, choice), 0, signal, async (rows) => {
      for (const { kept, outcome } of rows) comparison.add(lineOf(kept), outcome);
      for (const { kept } of rows) {
        if (first.length < maxLatencyRows) first.push({ body: lineOf(kept).request });
      }
      progress?.update(comparison.rows, undefined);
    });
  } finally {
    progress?.clear();
  }
  if (!isWhole || signal.aborted) return 'stopped';
  const seconds = (performance.now() - started) / 1_000;
  if (comparison.rows === 0) throw explainEmpty(choice, loaded.name);
  return toReport(plan, loaded, choice, comparison, await timeAlone(loaded, first), seconds);
}

/** Yields the rows of each piece of the logs. Each carries its line over to its outcome. */
async function* readRows(
  plan: ReplayPlan,
  stdin: CliContext['stdin'],
  choice: LineChoice,
): AsyncGenerator<readonly InputRow[]> {
  let left = plan.limit;
  for (const path of plan.logs) {
    for await (const lines of readLog(path, stdin)) {
      const rows: InputRow[] = [];
      for (const line of lines) {
        if (!choice.accepts(line)) continue;
        if (left === 0) break;
        left -= 1;
        rows.push({ body: line.request, kept: { line } });
      }
      yield rows;
      if (left === 0) return;
    }
  }
}

function lineOf(kept: InputRow['kept']): ReplayableLine {
  return kept?.['line'] as ReplayableLine;
}

/** The time of a row that runs alone, as most requests do, in milliseconds. The first runs are not counted. */
async function timeAlone(
  loaded: LoadedVersion,
  rows: readonly InputRow[],
): Promise<SpreadSummary | undefined> {
  const times = new Spread();
  const warmUps = Math.min(20, Math.floor(rows.length / 2));
  for (const [k, row] of rows.entries()) {
    const started = performance.now();
    await answerChunk(loaded, [row], k);
    if (k >= warmUps) times.add(performance.now() - started);
  }
  return times.summarize();
}

function explainEmpty({ skipped, otherModels, redactedFeatures }: LineChoice, model: string): RefusedError {
  if (skipped.size === 0) return new RefusedError('the log is empty: there is no row to replay');
  const reasons = [...skipped].map(([reason, count]) => {
    const names = { model: [...otherModels], redacted: [...redactedFeatures] }[reason as string] ?? [];
    return `${count.toLocaleString('en')} ${skipReasons[reason]}${names.length > 0 ? ` (${names.join(', ')})` : ''}`;
  });
  return new RefusedError(`no row of ${model} can be replayed: the log has ${reasons.join('; ')}`);
}
