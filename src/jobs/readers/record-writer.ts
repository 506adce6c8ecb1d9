import { isUtf8 } from 'node:buffer';
import type { ServiceError } from '../../errors.js';
import { splitRecord, toCellJson } from './csv-cells.js';
import { type CsvColumn, refuseCsv } from './csv-header.js';
import { describeCount, toLargeJson } from './large-record.js';
import type { ReadRow } from './row-reader.js';

const [comma, quote, backslash, brace] = [0x2c, 0x22, 0x5c, 0x7d];
const [minus, plus, dot, zero, nine, smallE, largeE] = [0x2d, 0x2b, 0x2e, 0x30, 0x39, 0x65, 0x45];
const nullText = Buffer.from('null');
const blockBytes = 65_536;
/** A longer record has a buffer of its own. */
const maxPlainBytes = 16_384;

/** Writes the record between `start` and `end` of `bytes` as the JSON of an object. `line` is for its error. */
export type RecordWriter = (bytes: Buffer, start: number, end: number, line: number) => ReadRow;

/**
 * Makes a JSON object of each record. Numbers in the form of JSON and texts are copied byte by byte, which is several
 * times as fast as strings; any other cell, and each fault, takes the way over strings.
 */
export function createRecordWriter(columns: readonly CsvColumn[]): RecordWriter {
  const names = columns.map(({ name }) => JSON.stringify(name));
  const prefixes = names.map((name, k) => Buffer.from(`${k === 0 ? '{' : ','}${name}:`));
  const kinds = columns.map(({ kind }) => kind);
  const fixedBytes = prefixes.reduce((sum, prefix) => sum + prefix.length + nullText.length, 1);
  let out = Buffer.alloc(0);
  let used = 0;

  /** Returns the end of the row in `out`, or -1 if a cell needs the other way. */
  const writePlain = (bytes: Buffer, start: number, end: number): number => {
    let at = start;
    let to = used;
    let seen = 0;
    for (let k = 0; k < kinds.length; k += 1) {
      if (k > 0) {
        if (at >= end || bytes[at] !== comma) return -1;
        at += 1;
      }
      const prefix = prefixes[k] as Buffer;
      for (let i = 0; i < prefix.length; i += 1) out[to++] = prefix[i] as number;
      if (at === end || bytes[at] === comma) {
        for (let i = 0; i < nullText.length; i += 1) out[to++] = nullText[i] as number;
        continue;
      }
      const isQuoted = bytes[at] === quote;
      if (isQuoted) at += 1;
      if (kinds[k] === 'number') {
        const stop = skipNumber(bytes, at);
        if (stop < 0 || stop > end) return -1;
        while (at < stop) out[to++] = bytes[at++] as number;
        if (isQuoted && bytes[at++] !== quote) return -1;
        continue;
      }
      if (kinds[k] !== 'text') return -1;
      out[to++] = quote;
      for (;;) {
        if (at >= end) {
          if (isQuoted) return -1;
          break;
        }
        const byte = bytes[at] as number;
        if (byte === quote) {
          if (!isQuoted) return -1;
          at += 1;
          if (at >= end || bytes[at] !== quote) break;
          out[to++] = backslash;
        } else if (byte === comma && !isQuoted) break;
        else if (byte < 0x20) return -1;
        else if (byte === backslash) out[to++] = backslash;
        seen |= byte;
        out[to++] = byte;
        at += 1;
      }
      out[to++] = quote;
    }
    if (at !== end || (seen > 0x7f && !isUtf8(bytes.subarray(start, end)))) return -1;
    out[to++] = brace;
    return to;
  };

  const writeText = (bytes: Buffer, line: number): ReadRow => {
    if (!isUtf8(bytes)) return refuseRecord('it is not valid UTF-8', line);
    const cells = splitRecord(bytes.toString());
    if (typeof cells === 'string') return refuseRecord(cells, line);
    if (cells.length !== kinds.length) return refuseRecord(describeCount(cells.length, kinds.length), line);
    const members = cells.map((cell, k) => `${names[k]}:${toCellJson(cell, kinds[k] ?? 'text')}`);
    return Buffer.from(`{${members.join()}}`);
  };

  const writeLarge = (bytes: Buffer, line: number): ReadRow => {
    if (!isUtf8(bytes)) return refuseRecord('it is not valid UTF-8', line);
    const json = toLargeJson(bytes, names, kinds);
    return typeof json === 'string' ? refuseRecord(json, line) : json;
  };

  return (bytes, start, end, line) => {
    const length = end - start;
    if (length > maxPlainBytes) return writeLarge(bytes.subarray(start, end), line);
    const most = fixedBytes + 2 * length;
    if (used + most > out.length) {
      // Rows keep their block alive, so a block is not written again.
      out = Buffer.allocUnsafeSlow(Math.max(blockBytes, most));
      used = 0;
    }
    const to = writePlain(bytes, start, end);
    if (to < 0) return writeText(bytes.subarray(start, end), line);
    const row = out.subarray(used, to);
    used = to;
    return row;
  };
}

function refuseRecord(fault: string, line: number): ServiceError {
  return refuseCsv(`The record in line ${line} cannot be read: ${fault}.`);
}

/** The index behind a number in the form of JSON; -1 for another form. */
function skipNumber(bytes: Buffer, from: number): number {
  let at = from;
  if (bytes[at] === minus) at += 1;
  const first = bytes[at] as number;
  if (!(first >= zero && first <= nine)) return -1;
  at += 1;
  if (first !== zero) at = skipDigits(bytes, at);
  if (bytes[at] === dot) {
    const fraction = at + 1;
    at = skipDigits(bytes, fraction);
    if (at === fraction) return -1;
  }
  if (bytes[at] !== smallE && bytes[at] !== largeE) return at;
  at += 1;
  if (bytes[at] === minus || bytes[at] === plus) at += 1;
  const exponent = at;
  at = skipDigits(bytes, exponent);
  return at === exponent ? -1 : at;
}

function skipDigits(bytes: Buffer, from: number): number {
  let at = from;
  while ((bytes[at] as number) >= zero && (bytes[at] as number) <= nine) at += 1;
  return at;
}
