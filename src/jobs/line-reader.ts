import { type RowBounds, type RowReader, refuseLongRow } from './row-reader.js';

const newline = 0x0a;
const space = new Set([0x20, 0x09, 0x0d]);

/**
 * Reads newline-delimited JSON: a row is a line, a blank line is skipped, and the last line may have no end
 * (github.com/ndjson/ndjson-spec 1.0). A line is not parsed here, so that a line that is no JSON fails alone.
 */
export function createLineReader(bounds: RowBounds): RowReader {
  /** The pieces of a line whose end has not come yet. */
  let pieces: Buffer[] = [];
  let bytes = 0;
  let count = 0;
  const add = (piece: Buffer): void => {
    if (piece.length === 0) return;
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > bounds.maxRowBytes) throw refuseLongRow(count, bounds);
  };
  const take = (rows: Buffer[]): void => {
    const [first, second] = pieces;
    const line = second === undefined ? first : Buffer.concat(pieces, bytes);
    pieces = [];
    bytes = 0;
    if (line === undefined || line.every((byte) => space.has(byte))) return;
    rows.push(line);
    count += 1;
  };
  return {
    push(chunk) {
      const rows: Buffer[] = [];
      let start = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
        add(chunk.subarray(start, at));
        take(rows);
        start = at + 1;
      }
      add(chunk.subarray(start));
      return rows;
    },
    end() {
      const rows: Buffer[] = [];
      take(rows);
      return rows;
    },
  };
}
