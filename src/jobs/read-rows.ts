import { ServiceError } from '../errors.js';
import type { RowLimit } from '../rate-limit/row-limit.js';
import { nextTurnAlone } from '../time/slices.js';
import type { ReadRow, RowReader } from './readers/row-reader.js';

export interface BatchBounds {
  readonly maxBytes: number;
  readonly maxRows: number;
  /** The limit of the client, which counts the rows once the body has ended. */
  readonly rowLimit?: RowLimit | undefined;
}

/** How long a body may be read before other requests get a turn of the event loop. */
const maxSliceMs = 4;

/**
 * Reads the rows of a body as they arrive. Throws `body_too_large` for too many bytes or rows, `invalid_input` for no
 * rows, and as `RowReader` and `RowLimit` do.
 */
export async function* readRows(
  body: AsyncIterable<Buffer>,
  reader: RowReader,
  { maxBytes, maxRows, rowLimit }: BatchBounds,
): AsyncGenerator<readonly ReadRow[]> {
  let [bytes, count] = [0, 0];
  const take = (rows: readonly ReadRow[]): readonly ReadRow[] => {
    count += rows.length;
    if (count <= Math.min(maxRows, rowLimit?.max ?? maxRows)) return rows;
    if (rowLimit !== undefined && rowLimit.max < maxRows) throw rowLimit.refuse();
    const detail = `The body has more than ${maxRows} rows: send them in several requests.`;
    throw new ServiceError('body_too_large', { detail });
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
    const rows = take(reader.push(piece));
    if (rows.length > 0) yield rows;
  }
  const last = take(reader.end());
  if (count === 0) {
    throw new ServiceError('invalid_input', { detail: 'The body has no rows: send at least one.' });
  }
  await rowLimit?.take(count);
  if (last.length > 0) yield last;
}

export function refuseLargeBody(maxBytes: number): ServiceError {
  const detail = `The body has more than ${maxBytes} bytes: send its rows in several requests.`;
  return new ServiceError('body_too_large', { detail });
}
