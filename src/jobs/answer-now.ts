import { ServiceError } from '../errors.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { BatchShare } from './batch-memory.js';
import type { BatchPredictor, BatchRequest, RowOutcome } from './batch-predictor.js';
import { NoMemoryError, type Submission } from './submission.js';

/** The answer to a batch. Its results are the texts that `ToResultsText` made. */
export interface BatchAnswer {
  readonly rows: number;
  readonly failed: number;
  readonly results: readonly Buffer[];
}

/** The results of some rows as one text. `from` is the index of the first row. */
export type ToResultsText = (from: number, outcomes: readonly RowOutcome[]) => string;

/**
 * Runs the rows of a batch in memory. Returns undefined if the time or the memory does not suffice: the batch is then
 * to be stored. Throws as `BatchPredictor.predict` does.
 */
export async function answerNow(
  predictor: BatchPredictor,
  loaded: LoadedVersion,
  request: BatchRequest,
  submission: Submission,
  share: BatchShare,
  toText: ToResultsText,
): Promise<BatchAnswer | undefined> {
  let [rows, failed] = [0, 0];
  const results: Buffer[] = [];
  try {
    await predictor.predict(loaded, request, submission.parsed(share), (outcomes) => {
      // Bytes, since a text that was put together from parts took 5.7 times its length (Node 20.20).
      const piece = Buffer.from(toText(rows, outcomes));
      if (!share.take(piece.length)) throw new NoMemoryError('no memory for the results of a batch');
      results.push(piece);
      rows += outcomes.length;
      failed += outcomes.filter((it) => 'error' in it).length;
    });
    return { rows, failed, results };
  } catch (error) {
    if (error instanceof NoMemoryError) return undefined;
    if (error instanceof ServiceError && error.code === 'deadline_exceeded') return undefined;
    throw error;
  }
}
