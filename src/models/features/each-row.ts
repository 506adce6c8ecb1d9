import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../../errors.js';
import type { Batcher, RunContext } from '../../inference/batching/batcher.js';
import { RunEndedError } from '../../inference/engine/executor.js';
import type { Row } from './encode.js';
import { isOfRow, type RowEntry, RowGroup, type RowsShare } from './feature-rows.js';

/** A row that cannot be answered, and why. */
export interface FailedRow {
  readonly from: number;
  readonly failure: unknown;
}

/** While processes end one after another, the executor pauses: up to 10 s each time. */
const pauseMs = 1_000;
const maxPauses = 20;
/** Rows of one call that may end their process. With more, the model is broken, and not some of its rows. */
const maxFatalRows = 10;

/**
 * Runs rows in as few runs as `maxBatchRows` allows. A row that fails costs no other row its answer: a run that the
 * engine refused, or whose process ended, is halved until each faulty row is alone. `answerable` is a row that the model
 * answers. Throws what concerns all rows, such as `deadline_exceeded`, `client_closed`, and `executor_lost`
 * if many rows end their process.
 */
export async function runEachRow(
  batcher: Batcher<RowEntry>,
  rows: readonly Row[],
  call: RunContext,
  answerable: Row,
): Promise<readonly (RowsShare | FailedRow)[]> {
  let pauses = 0;
  let fatalRows = 0;
  const runPart = async (from: number, count: number): Promise<readonly (RowsShare | FailedRow)[]> => {
    const entry = count === 1 ? (rows[from] as Row) : new RowGroup(rows.slice(from, from + count));
    try {
      return [{ from, count, share: await batcher.run(entry, call) }];
    } catch (error) {
      if (isPaused(error) && pauses < maxPauses) {
        pauses += 1;
        await pause(pauseMs);
        return runPart(from, count);
      }
      const hasEnded = hasEndedProcess(error);
      if (!hasEnded && !isOfRow(error) && !isKnown(error)) throw error;
      // The executor counts processes that end without an answer in between, and pauses after some: one row would
      // keep all other requests waiting while its half is searched.
      if (hasEnded) await batcher.run(answerable, call).catch(() => undefined);
      if (count === 1) {
        if (hasEnded) fatalRows += 1;
        if (fatalRows > maxFatalRows) throw tooManyFatal(error);
        return [{ from, failure: error }];
      }
      const half = Math.ceil(count / 2);
      return [...(await runPart(from, half)), ...(await runPart(from + half, count - half))];
    }
  };
  const parts = listParts(batcher, rows).map(({ from, count }) => runPart(from, count));
  return (await Promise.all(parts)).flat();
}

/** The rows that share a run. A row that has ended a process before is alone. */
function listParts(batcher: Batcher<RowEntry>, rows: readonly Row[]): { from: number; count: number }[] {
  const parts: { from: number; count: number }[] = [];
  let from = 0;
  const end = (to: number): void => {
    if (to > from) parts.push({ from, count: to - from });
    from = to;
  };
  for (const [k, row] of rows.entries()) {
    if (batcher.hasEndedProcess(row)) {
      end(k);
      end(k + 1);
    } else if (k + 1 - from === batcher.maxBatchRows) end(k + 1);
  }
  end(rows.length);
  return parts;
}

/** Whether the run ended its process. */
function hasEndedProcess(error: unknown): boolean {
  return error instanceof ServiceError && error.cause instanceof RunEndedError;
}

function tooManyFatal(cause: unknown): ServiceError {
  const detail = `More than ${maxFatalRows} rows have ended the process of the model.`;
  return new ServiceError('executor_lost', { detail, cause });
}

/** Whether equal rows have ended processes before, so that they are not run. */
function isKnown(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'run_failed';
}

/** Whether no process was there. */
function isPaused(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'executor_lost' && !hasEndedProcess(error);
}
