import { ServiceError } from '../../errors.js';
import { RowBytes } from './row-bytes.js';
import { type RowBounds, type RowReader, refuseJson } from './row-reader.js';

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
  /** The row in progress, its nesting, and whether the last byte was inside of a string. */
  const row = new RowBytes(bounds);
  let depth = 0;
  let isInString = false;
  let isEscaped = false;

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
          row.add(end < 0 ? chunk.subarray(at) : chunk.subarray(at, end), count);
          if (end < 0) break;
          rows.push(row.take());
          count += 1;
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
    if (current === 'start') throw explainStart(byte);
    throw current === 'after' ? refuseJson('There are bytes after the end of the JSON.') : refuseForm();
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The error of a body whose first byte is not that of an object. */
function explainStart(byte: number): ServiceError {
  if (byte === openArray) return refuseForm();
  if (byte === 0x1f) return refuseJson('The body is compressed: send content-encoding: gzip.');
  if (byte === 0xef)
    return refuseJson('The body begins with a byte order mark (BOM): send UTF-8 without it.');
  if (byte === 0xff || byte === 0xfe) return refuseJson('The body is UTF-16: send UTF-8.');
  return refuseJson('The body must be JSON, such as {"instances": [row, …]}.');
}

function refuseForm(): ServiceError {
  const message = 'the body must be {"instances": [row, …]}, and have no other member';
  return new ServiceError('invalid_input', {
    detail: '1 problem',
    problems: [{ pointer: '', message }],
  });
}
