import { RowError, ServiceError } from '../../errors.js';
import type { Batcher, EntrySize, RunContext } from '../../inference/batching/batcher.js';
import type { RowOutput } from '../../inference/batching/pending-row.js';
import type { Row } from './encode.js';

/** Rows of one request that wait and run together. */
export class RowGroup {
  readonly rows: readonly Row[];
  readonly size: EntrySize;

  constructor(rows: readonly Row[]) {
    this.rows = rows;
    this.size = { rows: rows.length, weight: rows.length, group: '' };
  }
}

export type RowEntry = Row | RowGroup;

export const sizeOfEntry = (entry: RowEntry): EntrySize | undefined =>
  entry instanceof RowGroup ? entry.size : undefined;

/** The rows of a run, in the order of its entries. */
export function flattenEntries(entries: readonly RowEntry[]): readonly Row[] {
  // Most runs have no group, and need no copy.
  if (!entries.some((entry) => entry instanceof RowGroup)) return entries as readonly Row[];
  const rows: Row[] = [];
  for (const entry of entries) {
    if (entry instanceof RowGroup) for (const row of entry.rows) rows.push(row);
    else rows.push(entry as Row);
  }
  return rows;
}

/** Equal for equal entries. */
export function createEntryText(toText: (row: Row) => string): (entry: RowEntry) => string {
  return (entry) =>
    entry instanceof RowGroup
      ? `${entry.rows.length}:${entry.rows.map(toText).join()}`
      : toText(entry as Row);
}

/** `count` rows of a request, and the run that answers them. The row `from` is at `timing.batchIndex` of that run. */
export interface RowsShare {
  readonly from: number;
  readonly count: number;
  readonly share: RowOutput;
}

/**
 * Runs the rows of one request in as few runs as `maxBatchRows` allows; other requests may share these runs. If a run
 * fails because of one row, halving finds that row. Throws `RowError` for it, otherwise as `Batcher.run` does.
 */
export async function runRows(
  batcher: Batcher<RowEntry>,
  rows: readonly Row[],
  { connection: ofClient, ...call }: RunContext,
): Promise<readonly RowsShare[]> {
  let hasFailed = false;
  const connection = {
    // After one part of a request has failed, its other parts are not run.
    get destroyed() {
      return hasFailed || ofClient?.destroyed === true;
    },
  };
  const own = { ...call, connection };
  const runPart = async (from: number, count: number): Promise<readonly RowsShare[]> => {
    const entry = count === 1 ? (rows[from] as Row) : new RowGroup(rows.slice(from, from + count));
    try {
      return [{ from, count, share: await batcher.run(entry, own) }];
    } catch (error) {
      if (!isOfRow(error)) throw error;
      if (count === 1) throw new RowError(from, error);
      const half = Math.ceil(count / 2);
      return [...(await runPart(from, half)), ...(await runPart(from + half, count - half))];
    }
  };
  const { maxBatchRows } = batcher;
  const parts: Promise<readonly RowsShare[]>[] = [];
  for (let from = 0; from < rows.length; from += maxBatchRows) {
    parts.push(runPart(from, Math.min(maxBatchRows, rows.length - from)));
  }
  try {
    return (await Promise.all(parts)).flat();
  } catch (error) {
    hasFailed = true;
    throw error;
  }
}

/** Whether one row can be the cause: the engine refused a row, or the outputs were too large. */
export function isOfRow(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  return error.code === 'output_too_large' || (error.code === 'run_failed' && error.cause !== undefined);
}
