import { ServiceError } from '../errors.js';
import { type RowBounds, type RowReader, refuseJson, refuseLongRow } from './row-reader.js';

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** The places of `{"instances": [row, row]}`, in their order. */
type Place = 'start' | 'key' | 'colon' | 'array' | 'first' | 'row' | 'separator' | 'close' | 'after';

/** The only member of the body, as it is written. */
const name = Buffer.from('"instances"');

/**
 * Reads `{"instances": [row, …]}` without holding the body: only where each row begins and ends. The rows are parsed
 * later, one by one, so a large body never blocks the event loop for long. A body that has another form is refused.
 */
export function createInstancesReader(bounds: RowBounds): RowReader {
  let place: Place = 'start';
  let count = 0;
  /** How much of the name of the member has been read. */
  let named = 0;
  /** The row in progress: its pieces from earlier chunks, its nesting, and whether it is inside of a string. */
  let pieces: Buffer[] = [];
  let bytes = 0;
  let depth = 0;
  let isInString = false;
  let isEscaped = false;

  const add = (piece: Buffer): void => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > bounds.maxRowBytes) throw refuseLongRow(count, bounds);
  };
  const takeRow = (): Buffer => {
    const row = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, bytes);
    pieces = [];
    bytes = 0;
    count += 1;
    return row;
  };

  /** Reads a row from `start` on. Returns the index behind its last byte, or -1 if the row goes on in the next chunk. */
  const scanRow = (chunk: Buffer, start: number): number => {
    for (let at = start; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) isInString = false;
      } else if (byte === quote) isInString = true;
      else if (byte === openArray || byte === openObject) depth += 1;
      else if (depth === 0 && (byte === comma || byte === closeArray || byte === closeObject)) return at;
      else if (byte === closeArray || byte === closeObject) depth -= 1;
    }
    return -1;
  };

  return {
    push(chunk) {
      const rows: Buffer[] = [];
      let at = 0;
      while (at < chunk.length) {
        if (place === 'row') {
          const end = scanRow(chunk, at);
          add(end < 0 ? chunk.subarray(at) : chunk.subarray(at, end));
          if (end < 0) break;
          rows.push(takeRow());
          place = 'separator';
          at = end;
          continue;
        }
        const byte = chunk[at] as number;
        if (place === 'key' && named > 0) {
          if (byte !== name[named]) throw refuseForm();
          named += 1;
          if (named === name.length) place = 'colon';
        } else if (!isSpace(byte)) {
          if ((place === 'first' || place === 'separator') && byte === closeArray) place = 'close';
          else if (place === 'first') {
            place = 'row';
            continue;
          } else place = next(place, byte);
          if (place === 'key') named = byte === quote ? 1 : 0;
        }
        at += 1;
      }
      return rows;
    },
    end() {
      if (place !== 'after') throw refuseJson('The body ends before its JSON does.');
      return [];
    },
  };

  function next(current: Place, byte: number): Place {
    switch (current) {
      case 'start':
        if (byte === openObject) return 'key';
        break;
      case 'key':
        if (byte === quote) return 'key';
        break;
      case 'colon':
        if (byte === colon) return 'array';
        break;
      case 'array':
        if (byte === openArray) return 'first';
        break;
      case 'separator':
        if (byte === comma) return 'row';
        break;
      case 'close':
        if (byte === closeObject) return 'after';
        break;
      default:
        break;
    }
    throw current === 'after' ? refuseJson('There are bytes after the end of the JSON.') : refuseForm();
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function refuseForm(): ServiceError {
  const message = 'the body must be {"instances": [row, …]}, and have no other member';
  return new ServiceError('invalid_input', {
    detail: '1 problem',
    problems: [{ pointer: '', message }],
  });
}
