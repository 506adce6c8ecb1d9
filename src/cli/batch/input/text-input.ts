import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { RefusedError, ServiceError } from '../../../errors.js';
import type { ReadRow } from '../../../jobs/readers/row-reader.js';
import { parseClientJson } from '../../../text/client-json.js';
import type { InputRow } from '../rows/batch-row.js';
import type { RowSplitter } from '../rows/kept-members.js';

/** The bytes of the input, and how many of them have been read. */
export interface ByteSource {
  readonly bytes: AsyncIterable<Uint8Array | string>;
  readonly isPacked: boolean;
}

const parquetMark = Buffer.from('PAR1');
const maxBrackets = 32;
const limits = {
  names: Number.POSITIVE_INFINITY,
  items: Number.POSITIVE_INFINITY,
  fix: 'each row is a body of its own',
};

/** A row that is not parsed yet: JSON, or the error of a row that cannot be read. */
type RawRow = ReadRow | string;

/** As `RowReader`; rows of JSON may be strings. */
export interface RawReader {
  push(chunk: Buffer): readonly RawRow[];
  end(): readonly RawRow[];
}

/** Rows that are parsed at once: with more, most of them would outlive the young generation of the heap. */
const maxParsed = 256;

/** Reads the rows of text, without the first `skipped` ones: these are not parsed. Throws what `reader` throws. */
export async function* readTextRows(
  source: ByteSource,
  reader: RawReader,
  splitter: RowSplitter,
  skipped: number,
): AsyncGenerator<readonly InputRow[]> {
  let left = skipped;
  const take = function* (rows: readonly RawRow[]): Generator<readonly InputRow[]> {
    let at = Math.min(left, rows.length);
    left -= at;
    for (; at < rows.length; at += maxParsed) {
      yield rows.slice(at, at + maxParsed).map((row) => parseRow(row, splitter));
    }
  };
  for await (const chunk of unpack(source)) yield* take(reader.push(chunk));
  yield* take(reader.end());
}

function parseRow(row: RawRow, splitter: RowSplitter): InputRow {
  if (row instanceof ServiceError) return { error: row };
  try {
    const body = typeof row === 'string' ? parseText(row) : parseClientJson(row, () => limits);
    return splitter.split(body);
  } catch (error) {
    if (error instanceof ServiceError) return { error };
    throw error;
  }
}

/** As `parseClientJson`, which also explains what is wrong with a text. */
function parseText(text: string): unknown {
  if (isFlat(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // Falls through to the explanation.
    }
  }
  return parseClientJson(Buffer.from(text), () => limits);
}

/** Whether a text has too few brackets to be nested too deeply. */
function isFlat(text: string): boolean {
  let brackets = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      brackets += 1;
      if (brackets > maxBrackets) return false;
    }
  }
  return true;
}

async function* unpack({ bytes, isPacked }: ByteSource): AsyncGenerator<Buffer> {
  if (!isPacked) {
    let isFirst = true;
    for await (const chunk of bytes) {
      const buffer = toBuffer(chunk);
      if (isFirst) refuseOther(buffer);
      isFirst = false;
      yield buffer;
    }
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

/** Throws `RefusedError` for the first bytes of a file that is no text. */
function refuseOther(first: Buffer): void {
  if (first[0] === 0x1f && first[1] === 0x8b) {
    throw new RefusedError('the input is compressed with gzip: say so with --format csv.gz or ndjson.gz');
  }
  if (first.subarray(0, 4).equals(parquetMark)) {
    throw new RefusedError('the input is Parquet: say so with --format parquet');
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
