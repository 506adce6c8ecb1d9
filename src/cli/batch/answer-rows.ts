import { asServiceError, ServiceError } from '../../errors.js';
import { createCall } from '../../inference/batching/call-context.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Answer, CheckedRequest } from '../../models/tasks/task.js';
import type { InputRow, OutputRow } from './rows/batch-row.js';

/** Rows of one call, unless a batch of the engine has more. With 4,096 rows, more memory is alive, and collecting it takes longer. */
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

/** Checks rows and answers each by itself. `from` is the index of the first one. Throws as `Task.answerEach` does. */
export async function answerRows(
  { task }: LoadedVersion,
  rows: readonly InputRow[],
  from: number,
): Promise<readonly OutputRow[]> {
  const checked = rows.map((row): CheckedRequest | ServiceError => {
    if ('error' in row) return row.error;
    try {
      return task.check(row.body);
    } catch (error) {
      return asServiceError(error);
    }
  });
  const requests = checked.filter((it): it is CheckedRequest => !(it instanceof ServiceError));
  const call = createCall({ arrivedAt: performance.now(), isBackground: true }, maxCallMs);
  const answers = requests.length === 0 ? [] : await task.answerEach(requests, call);
  let next = 0;
  return checked.map((it, k) => {
    const outcome = it instanceof ServiceError ? it : (answers[next++] as Answer | ServiceError);
    return { index: from + k, kept: rows[k]?.kept, outcome };
  });
}
