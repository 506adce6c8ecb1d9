import { ServiceError, toErrorCode } from '../../errors.js';
import type { ChunkRows } from './job-store.js';

const newline = 0x0a;
const space = 0x20;
/** Begins the line of a row that has failed already. No JSON text begins with it. */
const failedMark = 0x00;

/**
 * A row as one line of a stored chunk. Line breaks in a JSON text can only be between its tokens, so they become spaces.
 * A row that failed when it was read is stored as its error.
 */
export function toLine(row: Buffer | ServiceError): Buffer {
  if (row instanceof ServiceError) {
    const { code, detail } = row;
    return Buffer.from(`\0${JSON.stringify({ code, detail })}\n`);
  }
  const start = row[0] === failedMark ? 1 : 0;
  const line = Buffer.allocUnsafe(start + row.length + 1);
  line[0] = space;
  line.set(row, start);
  for (let at = line.indexOf(newline); at >= 0 && at < line.length - 1; at = line.indexOf(newline, at + 1))
    line[at] = space;
  line[line.length - 1] = newline;
  return line;
}

/** The rows of a stored chunk. They are found one by one: all rows of a chunk at once take a millisecond. */
export function* readLines(chunk: Buffer): Generator<Buffer | ServiceError> {
  for (let start = 0; start < chunk.length; ) {
    const found = chunk.indexOf(newline, start);
    const end = found < 0 ? chunk.length : found;
    const line = chunk.subarray(start, end);
    yield line[0] === failedMark ? readFailure(line) : line;
    start = end + 1;
  }
}

/** Rows that are in memory already. */
export function holdRows(lines: Buffer): ChunkRows {
  return {
    bytes: lines.length,
    get count() {
      let count = 0;
      for (let at = lines.indexOf(newline); at >= 0; at = lines.indexOf(newline, at + 1)) count += 1;
      return count;
    },
    load: async () => lines,
  };
}

function readFailure(line: Buffer): ServiceError {
  const { code, detail } = JSON.parse(line.toString('utf8', 1)) as { code: string; detail?: string };
  return new ServiceError(toErrorCode(code), detail === undefined ? {} : { detail });
}
