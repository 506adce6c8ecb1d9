import { resolve } from 'node:path';
import { RefusedError } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { CliContext } from '../terminal/command.js';
import { Failures } from './failures.js';
import { openInput } from './input/batch-input.js';
import { createLayout } from './output/batch-output.js';
import { openPart, type PartFile } from './output/part-file.js';
import type { RunIdentity } from './output/resume-file.js';
import { createOutputSink } from './output/sink.js';
import { type BatchPlan, describeOptions } from './plan/batch-plan.js';
import { createProgressReport, formatSeconds, group } from './progress-report.js';
import type { OutputRow } from './rows/batch-row.js';
import { runRows } from './run-rows.js';

/**
 * Answers all rows of the input. Returns the exit code: 1 if rows have failed. Once `signal` is aborted, the run stops
 * after its chunk, and returns `stopped`; with a file as input and output, a later run goes on there.
 */
export async function runBatch(
  plan: BatchPlan,
  context: CliContext,
  loaded: LoadedVersion,
  signal: AbortSignal,
): Promise<number | 'stopped'> {
  const input = await openInput(plan, context.stdin, loaded);
  let part: PartFile | undefined;
  const say = (text: string): void => void (plan.isQuiet || context.stderr.write(`${text}\n`));
  try {
    const { splitter, openOutput } = createLayout(plan, input.types, loaded);
    if (plan.out !== undefined) {
      part = await openPart(plan.out, { ...plan, identity: identify(plan, input.file, loaded) });
    }
    const point = part?.point;
    if (point?.columns) splitter.setColumns(point.columns);
    const output = openOutput(part?.sink ?? createOutputSink(context.stdout), point?.state);
    const failures = new Failures(point?.failures);
    const firstRow = point?.rows ?? 0;
    let rows = firstRow;
    if (part && firstRow > 0)
      say(`sardonyx: goes on after ${group(firstRow)} rows, which are in ${part.path}`);
    const report = plan.isQuiet ? undefined : createProgressReport(context.stderr, firstRow);
    const started = performance.now();
    let savedRows = firstRow;
    const save = async (): Promise<void> => {
      await output.flush();
      if (!output.canPause) return;
      const columns = splitter.columns ?? null;
      await part?.save({ rows, columns, failures: failures.state, state: output.state ?? null });
      savedRows = rows;
    };
    /** Stays true after a failure of the output, which may have lost rows: only an earlier point is true then. */
    let isWriting = false;
    const onChunk = async (chunk: readonly OutputRow[]): Promise<void> => {
      isWriting = true;
      failures.add(chunk);
      await output.write(chunk);
      rows += chunk.length;
      report?.update(rows, input.share());
      if (part?.isDue && output.canPause) await save();
      isWriting = false;
    };
    let isWhole: boolean;
    try {
      isWhole = await runRows(loaded, input.read(splitter, firstRow), firstRow, signal, onChunk);
      isWriting = true;
      if (isWhole) {
        await output.end();
        await part?.complete();
      } else if (part === undefined || part.canResume) await save();
    } catch (error) {
      report?.clear();
      if (part?.canResume && !isWriting && rows > 0) await save();
      // A refused value stops each further run in the same way.
      if (part?.canResume && savedRows > 0 && !(isWriting && error instanceof RefusedError))
        context.stderr.write(`${describeStop(savedRows, part)}\n`);
      throw error;
    }
    report?.clear();
    if (!isWhole) {
      const place = part?.canResume && savedRows > 0 ? describeStop(savedRows, part) : undefined;
      context.stderr.write(`${place ?? `sardonyx: stopped after ${group(rows)} rows`}\n`);
      return 'stopped';
    }
    const seconds = Math.max(0.001, (performance.now() - started) / 1_000);
    const speed = group(Math.round((rows - firstRow) / seconds));
    const { count } = failures.state;
    const failed = count === 0 ? '' : `, ${group(count)} failed`;
    const place = plan.out === undefined ? '' : `: ${plan.out}`;
    say(`sardonyx: ${group(rows)} rows in ${formatSeconds(seconds)} (${speed} rows/s)${failed}${place}`);
    if (count === 0) return 0;
    for (const line of failures.describe()) context.stderr.write(`sardonyx: ${line}\n`);
    return 1;
  } finally {
    await input.close();
    await part?.close();
  }
}

function identify(
  plan: BatchPlan,
  file: { readonly bytes: number; readonly changedMs: number } | undefined,
  loaded: LoadedVersion,
): RunIdentity | undefined {
  if (plan.source === undefined || file === undefined) return undefined;
  return {
    input: resolve(plan.source),
    inputBytes: file.bytes,
    inputChangedMs: file.changedMs,
    model: `${loaded.name}@${loaded.version}`,
    modelDigest: loaded.identity,
    options: describeOptions(plan),
  };
}

function describeStop(rows: number, { path }: PartFile): string {
  return `sardonyx: stopped after ${group(rows)} rows, which are in ${path}: run the command again to go on`;
}
