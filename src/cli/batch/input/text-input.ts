import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { RefusedError, ServiceError } from '../../../errors.js';
import type { ReadRow, RowReader } from '../../../jobs/readers/row-reader.js';
import { parseClientJson } from '../../../text/client-json.js';
import type { InputRow } from '../rows/batch-row.js';
import type { RowSplitter } from '../rows/kept-members.js';

/** The bytes of the input, and how many of them have been read. */
export interface ByteSource {
  readonly bytes: AsyncIterable<Uint8Array | string>;
  readonly isPacked: boolean;
}

const limits = {
  names: Number.POSITIVE_INFINITY,
  items: Number.POSITIVE_INFINITY,
  fix: 'each row is a body of its own',
};

/** Reads the rows of text, without the first `skipped` ones: these are not parsed. Throws what `reader` throws. */
export async function* readTextRows(
  source: ByteSource,
  reader: RowReader,
  splitter: RowSplitter,
  skipped: number,
): AsyncGenerator<readonly InputRow[]> {
  let left = skipped;
  const take = (rows: readonly ReadRow[]): readonly InputRow[] => {
    const count = Math.min(left, rows.length);
    left -= count;
    return rows.slice(count).map((row) => parseRow(row, splitter));
  };
  for await (const chunk of unpack(source)) yield take(reader.push(chunk));
  yield take(reader.end());
}

function parseRow(row: ReadRow, splitter: RowSplitter): InputRow {
  if (row instanceof ServiceError) return { error: row };
  try {
    return splitter.split(parseClientJson(row, () => limits));
  } catch (error) {
    if (error instanceof ServiceError) return { error };
    throw error;
  }
}

async function* unpack({ bytes, isPacked }: ByteSource): AsyncGenerator<Buffer> {
  if (!isPacked) {
    for await (const chunk of bytes) yield toBuffer(chunk);
    return;
  }
  const unpacked = createGunzip({ chunkSize: 262_144 });
  // An error of either stream ends the loop below.
  pipeline(bytes, unpacked, () => undefined);
  try {
    yield* unpacked;
  } catch (cause) {
    if (!isOfGzip(cause)) throw cause;
    throw new RefusedError('the input is not valid gzip, or it ends too early', { cause });
  }
}

function isOfGzip(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_');
}

function toBuffer(chunk: Uint8Array | string): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
