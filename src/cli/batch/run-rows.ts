import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import { answerChunk, chunkRowsOf } from './answer-chunk.js';
import type { InputRow, OutputRow } from './rows/batch-row.js';

/**
 * Answers the rows of the input in chunks, and passes each to `onChunk` in order. The next chunk is read while one runs.
 * Once `signal` is aborted, it returns after the chunk in progress. Returns whether the input has ended.
 */
export async function runRows(
  loaded: LoadedVersion,
  input: AsyncIterable<readonly InputRow[]>,
  from: number,
  signal: AbortSignal,
  onChunk: (rows: readonly OutputRow[]) => Promise<void>,
): Promise<boolean> {
  let running: Promise<readonly OutputRow[]> | undefined;
  let index = from;
  let isWhole = true;
  try {
    for await (const rows of toChunks(input, chunkRowsOf(loaded))) {
      if (signal.aborted) {
        isWhole = false;
        break;
      }
      const last = running;
      running = answerChunk(loaded, rows, index);
      // The `await` of the next round throws the failure.
      running.catch(() => undefined);
      index += rows.length;
      if (last !== undefined) await onChunk(await last);
    }
    if (running !== undefined) await onChunk(await running);
    return isWhole;
  } finally {
    await running?.catch(() => undefined);
  }
}

async function* toChunks(
  input: AsyncIterable<readonly InputRow[]>,
  size: number,
): AsyncGenerator<readonly InputRow[]> {
  let chunk: InputRow[] = [];
  for await (const rows of input) {
    for (const row of rows) {
      chunk.push(row);
      if (chunk.length < size) continue;
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk;
}
