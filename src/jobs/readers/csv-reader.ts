import { isUtf8 } from 'node:buffer';
import { ServiceError } from '../../errors.js';
import { type CsvModel, readHeader, refuseCsv } from './csv-header.js';
import { createRecordScanner } from './record-scanner.js';
import { createRecordWriter, type RecordWriter } from './record-writer.js';
import type { ReadRow, RowBounds, RowReader } from './row-reader.js';

/** The byte order mark of UTF-8. */
const mark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Reads CSV (RFC 4180): the first record is the header, with the names of the features in any order, and each further
 * record is a row. A record that cannot be read fails alone. Throws `invalid_input` for the header, for a body in
 * another encoding, and for a quoted field without end.
 */
export function createCsvReader(bounds: RowBounds, model: CsvModel): RowReader {
  /** The first bytes, until there are enough to see a byte order mark. */
  let first: Buffer | undefined = Buffer.alloc(0);
  let write: RecordWriter | undefined;
  let rows: ReadRow[] = [];
  let count = 0;
  const scanner = createRecordScanner(
    bounds,
    () => count,
    (bytes, start, end, line) => {
      if (write === undefined) {
        const header = bytes.subarray(start, end);
        if (!isUtf8(header)) throw refuseCsv('The header is not valid UTF-8.');
        write = createRecordWriter(readHeader(header.toString(), model));
        return;
      }
      rows.push(write(bytes, start, end, line));
      count += 1;
    },
  );

  const scan = (chunk: Buffer): void => {
    try {
      scanner.push(chunk);
    } catch (error) {
      if (write !== undefined || !(error instanceof ServiceError) || error.code !== 'body_too_large')
        throw error;
      const detail = chunk.includes('\r')
        ? 'The lines end with carriage returns alone: end them with LF or CRLF.'
        : `The header has more than ${bounds.maxRowBytes} bytes.`;
      throw new ServiceError('body_too_large', { detail, cause: error });
    }
  };

  const begin = (bytes: Buffer): void => {
    first = undefined;
    if (isUtf16(bytes)) throw refuseCsv('The body is UTF-16: send UTF-8.');
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      throw refuseCsv('The body is compressed: send content-encoding: gzip.');
    }
    scan(bytes.subarray(0, mark.length).equals(mark) ? bytes.subarray(mark.length) : bytes);
  };

  const take = (): readonly ReadRow[] => {
    const taken = rows;
    rows = [];
    return taken;
  };

  return {
    push(chunk) {
      if (first === undefined) scan(chunk);
      else {
        first = Buffer.concat([first, chunk]);
        if (first.length >= mark.length) begin(first);
      }
      return take();
    },
    end() {
      if (first !== undefined) begin(first);
      if (scanner.isQuoted) {
        const where = write === undefined ? 'of the header' : `of row ${count}`;
        throw refuseCsv(
          `A quoted field ${where} has no closing quote: the record begins in line ${scanner.line}.`,
        );
      }
      scanner.end();
      if (write === undefined) throw refuseCsv('The body is empty: the first line must be the header.');
      return take();
    },
  };
}

function isUtf16([a, b]: Buffer): boolean {
  return (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
}
