import { RowBytes } from './row-bytes.js';
import type { RowBounds, RowReader } from './row-reader.js';

const newline = 0x0a;

/**
 * Reads newline-delimited JSON: a row is a line, a blank line is skipped, and the last line may have no end
 * (github.com/ndjson/ndjson-spec 1.0). A line is not parsed here, so that a line that is no JSON fails alone.
 */
export function createLineReader(bounds: RowBounds): RowReader {
  /** A line whose end has not come yet. */
  const line = new RowBytes(bounds);
  let count = 0;
  const take = (rows: Buffer[]): void => {
    if (line.length === 0) return;
    const bytes = line.take();
    if (isBlank(bytes)) return;
    rows.push(bytes);
    count += 1;
  };
  return {
    push(chunk) {
      const rows: Buffer[] = [];
      let start = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
        if (at > start) line.add(chunk.subarray(start, at), count);
        take(rows);
        start = at + 1;
      }
      if (start < chunk.length) line.add(chunk.subarray(start), count);
      return rows;
    },
    end() {
      const rows: Buffer[] = [];
      take(rows);
      return rows;
    },
  };
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}
