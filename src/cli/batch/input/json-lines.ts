import { isUtf8 } from 'node:buffer';
import { RowBytes } from '../../../jobs/readers/row-bytes.js';
import type { RowBounds } from '../../../jobs/readers/row-reader.js';

const newline = 0x0a;
const blank = /^[ \t\r]*$/;

/** Lines of newline-delimited JSON. A line that is not UTF-8 is given as its bytes. */
export interface JsonLines {
  /** Throws `body_too_large`. */
  push(chunk: Buffer): readonly (string | Buffer)[];
  end(): readonly (string | Buffer)[];
}

/**
 * Reads the lines of `createLineReader` as strings, many at once: with a `Buffer` for each line, reading took 0.9 µs a
 * row of 50 bytes instead of 0.4 (Node 20.20).
 */
export function createJsonLines(bounds: RowBounds): JsonLines {
  /** A line whose end has not come yet. */
  const open = new RowBytes(bounds);
  let count = 0;

  const split = (block: Buffer): (string | Buffer)[] => {
    const lines = isUtf8(block) ? block.toString().split('\n') : splitBytes(block);
    const rows = lines.filter((line) => !isBlank(line));
    count += rows.length;
    return rows;
  };

  return {
    push(chunk) {
      const last = chunk.lastIndexOf(newline);
      if (last < 0) {
        open.add(chunk, count);
        return [];
      }
      const rows: (string | Buffer)[] = [];
      let start = 0;
      if (open.length > 0) {
        const first = chunk.indexOf(newline);
        open.add(chunk.subarray(0, first), count);
        rows.push(...split(open.take()));
        start = first + 1;
      }
      if (start < last) {
        for (const row of split(chunk.subarray(start, last))) rows.push(row);
      }
      if (last + 1 < chunk.length) open.add(chunk.subarray(last + 1), count);
      return rows;
    },
    end: () => (open.length === 0 ? [] : split(open.take())),
  };
}

function splitBytes(block: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let at = block.indexOf(newline); at >= 0; at = block.indexOf(newline, start)) {
    lines.push(block.subarray(start, at));
    start = at + 1;
  }
  lines.push(block.subarray(start));
  return lines;
}

function isBlank(line: string | Buffer): boolean {
  if (typeof line !== 'string') return blank.test(line.toString('latin1'));
  return line.length === 0 || (line.charCodeAt(0) <= 0x20 && blank.test(line));
}
