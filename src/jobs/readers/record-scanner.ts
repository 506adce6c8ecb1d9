import { RowBytes } from './row-bytes.js';
import type { RowBounds } from './row-reader.js';

const [newline, carriageReturn, quote, comma] = [0x0a, 0x0d, 0x22, 0x2c];

/** Takes the record between `start` and `end` of `bytes`, without its line end. It begins at `line`, from 1. */
export type OnRecord = (bytes: Buffer, start: number, end: number, line: number) => void;

export interface RecordScanner {
  /** Whether the last record has begun in a quoted field that has no end yet. */
  readonly isQuoted: boolean;
  /** The line in which the last record has begun, from 1. */
  readonly line: number;
  /** Takes the next bytes, and calls `onRecord` for the records that they complete. Throws `body_too_large`. */
  push(chunk: Buffer): void;
  /** Calls `onRecord` for a last record that has no line end. */
  end(): void;
}

/** The place of the next byte in its field. A quote opens a field only at `start`, and after `closed` it is doubled. */
type Place = 'start' | 'plain' | 'quoted' | 'closed';

/**
 * Finds the records of CSV (RFC 4180): a line break in a quoted field does not end one. Lines without bytes are
 * skipped. `countRows` gives the index of the row, for the error of a long one.
 */
export function createRecordScanner(
  bounds: RowBounds,
  countRows: () => number,
  onRecord: OnRecord,
): RecordScanner {
  /** A record whose end has not come yet. */
  const open = new RowBytes(bounds);
  let place: Place = 'start';
  let line = 1;
  let firstLine = 1;

  /** Returns the index of the line end of the record, or -1 if the record goes on in the next chunk. */
  const scan = (chunk: Buffer, from: number): number => {
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      if (place === 'quoted') {
        if (byte === quote) place = 'closed';
        else if (byte === newline) line += 1;
      } else if (byte === newline) return at;
      else if (byte === comma) place = 'start';
      else if (byte === quote && place !== 'plain') place = 'quoted';
      else place = 'plain';
    }
    return -1;
  };

  const emit = (bytes: Buffer, start: number, end: number): void => {
    const last = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end;
    if (last > start) onRecord(bytes, start, last, firstLine);
  };

  const endRecord = (): void => {
    line += 1;
    firstLine = line;
    place = 'start';
  };

  return {
    get isQuoted() {
      return place === 'quoted';
    },
    get line() {
      return firstLine;
    },
    push(chunk) {
      let nextQuote = -1;
      for (let at = 0; at < chunk.length; ) {
        if (nextQuote < at) {
          const found = chunk.indexOf(quote, at);
          nextQuote = found < 0 ? chunk.length : found;
        }
        let end: number;
        if (place === 'quoted') end = scan(chunk, at);
        else {
          end = chunk.indexOf(newline, at);
          const to = end < 0 ? chunk.length : end;
          if (nextQuote < to) end = scan(chunk, at);
          else if (end < 0) place = chunk[chunk.length - 1] === comma ? 'start' : 'plain';
        }
        if (end < 0) {
          open.add(chunk.subarray(at), countRows());
          return;
        }
        if (open.length === 0) {
          open.check(end - at, countRows());
          emit(chunk, at, end);
        } else {
          open.add(chunk.subarray(at, end), countRows());
          const bytes = open.take();
          emit(bytes, 0, bytes.length);
        }
        endRecord();
        at = end + 1;
      }
    },
    end() {
      if (open.length === 0) return;
      const bytes = open.take();
      emit(bytes, 0, bytes.length);
    },
  };
}
