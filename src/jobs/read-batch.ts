import { ServiceError } from '../errors.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { parseClientJson } from '../text/client-json.js';
import { nextTurnAlone } from '../time/slices.js';
import type { BatchRow } from './batch-predictor.js';
import { type ReadRow, type RowReader, refuseJson } from './readers/row-reader.js';

export interface BatchBounds {
  readonly maxBytes: number;
  readonly maxRows: number;
}

/** Rows that are checked together, which takes this thread a millisecond: other requests are answered in between. */
const maxChunkRows = 256;
/** Bytes of the bodies of a chunk, and of its outputs as the load measured them: both are held until it is answered. */
const maxChunkBytes = 262_144;
/** How long a body may be read before other requests get a turn of the event loop. */
const maxSliceMs = 4;

/**
 * Reads the rows of a body, parsed, in chunks as they arrive. With `isEachAlone` a row that is no JSON fails alone;
 * otherwise it refuses the whole body. Throws `body_too_large` for too many bytes or rows, `invalid_input` for no rows.
 */
export async function* readBatch(
  body: AsyncIterable<Buffer>,
  reader: RowReader,
  { maxBytes, maxRows }: BatchBounds,
  { task, loadStats: { outputBytes, batchRows } }: LoadedVersion,
  isEachAlone: boolean,
): AsyncGenerator<readonly BatchRow[]> {
  const { names, items } = task.bodyBounds;
  const chunkRows = Math.max(
    1,
    Math.min(maxChunkRows, Math.floor((maxChunkBytes * batchRows) / outputBytes)),
  );
  const limits = { names, items, fix: 'each row is a body of its own' };
  let bytes = 0;
  let count = 0;
  let chunk: BatchRow[] = [];
  let chunkBytes = 0;
  const parse = (row: Buffer): BatchRow => {
    try {
      return { body: parseClientJson(row, () => limits) };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (isEachAlone || error.code === 'invalid_input') return { error };
      const isBlank = row.toString('latin1').trim() === '';
      if (isBlank) throw refuseJson(`Row ${count} is missing: there is a comma without a row.`);
      const detail = `Row ${count}: ${error.detail ?? error.message}`;
      throw new ServiceError(error.code, { detail, cause: error });
    }
  };
  const take = function* (rows: readonly ReadRow[]): Generator<readonly BatchRow[]> {
    for (const row of rows) {
      if (count === maxRows) {
        const detail = `The body has more than ${maxRows} rows: send them in several requests.`;
        throw new ServiceError('body_too_large', { detail });
      }
      const isRefused = row instanceof ServiceError;
      chunk.push(isRefused ? { error: row } : parse(row));
      if (!isRefused) chunkBytes += row.length;
      count += 1;
      if (chunk.length < chunkRows && chunkBytes < maxChunkBytes) continue;
      yield chunk;
      chunk = [];
      chunkBytes = 0;
    }
  };
  let until = performance.now() + maxSliceMs;
  for await (const piece of body) {
    if (performance.now() > until) {
      // Pieces that have arrived already are read without a turn in between.
      await nextTurnAlone();
      until = performance.now() + maxSliceMs;
    }
    bytes += piece.length;
    if (bytes > maxBytes) throw refuseLargeBody(maxBytes);
    yield* take(reader.push(piece));
  }
  yield* take(reader.end());
  if (count === 0) {
    throw new ServiceError('invalid_input', { detail: 'The body has no rows: send at least one.' });
  }
  if (chunk.length > 0) yield chunk;
}

export function refuseLargeBody(maxBytes: number): ServiceError {
  const detail = `The body has more than ${maxBytes} bytes: send its rows in several requests.`;
  return new ServiceError('body_too_large', { detail });
}
