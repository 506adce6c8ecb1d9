import { createCall } from '../../inference/batching/call-context.js';
import { answerRows, checkRows } from '../../jobs/answer-rows.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { InputRow, OutputRow } from './rows/batch-row.js';

/** Rows of one call, unless a batch of the engine has more. With 4,096 rows it takes longer to collect the memory. */
const maxChunkRows = 256;
/** The outputs of a chunk are held together. */
const maxChunkBytes = 16_777_216;
/** A command that is interrupted ends after its chunk. */
const maxChunkMs = 500;
/** No run may wait for longer: each has the limit of its version. */
const maxCallMs = 86_400_000;

/** Rows that are answered together: as many full batches of the engine as fit. */
export function chunkRowsOf({ loadStats }: LoadedVersion): number {
  const { batchRows, outputBytes, runMs, batchRunMs = runMs } = loadStats;
  const most = Math.min(
    maxChunkRows,
    (maxChunkBytes / Math.max(1, outputBytes)) * batchRows,
    (maxChunkMs / Math.max(0.001, batchRunMs)) * batchRows,
  );
  return Math.max(1, Math.floor(most / batchRows)) * batchRows;
}

/** Answers rows, each by itself. `from` is the index of the first one. Throws as `Task.answerEach` does. */
export async function answerChunk(
  loaded: LoadedVersion,
  rows: readonly InputRow[],
  from: number,
): Promise<readonly OutputRow[]> {
  const call = createCall({ arrivedAt: performance.now(), isBackground: true }, maxCallMs);
  const outcomes = await answerRows(loaded, checkRows(loaded, rows), call);
  return outcomes.map((outcome, k) => ({ index: from + k, kept: rows[k]?.kept, outcome }));
}
