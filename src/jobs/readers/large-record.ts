import { type CellKind, toCellJson } from './csv-cells.js';

const [comma, quote, backslash, carriageReturn, space] = [0x2c, 0x22, 0x5c, 0x0d, 0x20];
const [letterU, digitZero] = [0x75, 0x30];
const digits = Buffer.from('0123456789abcdef');
/** No number and no boolean is longer. */
const maxValueBytes = 1_000;

/**
 * The JSON of a long record of CSV in UTF-8, or what is wrong with it. Byte by byte: with strings, a field of 3,000,000
 * doubled quotes took 0.7 s of the thread (Node 20.20). `names` are in the form of JSON.
 */
export function toLargeJson(
  record: Buffer,
  names: readonly string[],
  kinds: readonly CellKind[],
): Buffer | string {
  const parts: (Buffer | string)[] = [];
  let at = 0;
  let count = 0;
  for (;;) {
    const isQuoted = record[at] === quote;
    const start = isQuoted ? at + 1 : at;
    const end = isQuoted ? findClosing(record, start) : findComma(record, start);
    if (typeof end === 'string') return end;
    const kind = kinds[count] ?? 'text';
    if (kind !== 'text' && end - start > maxValueBytes)
      return `its field ${names[count]} is too long for a ${kind}`;
    const isNull = start === end && !isQuoted;
    const json =
      kind === 'text' && !isNull
        ? toTextJson(record, start, end)
        : toCellJson({ text: record.toString('utf8', start, end).replaceAll('""', '"'), isQuoted }, kind);
    parts.push(`${count === 0 ? '{' : ','}${names[count]}:`, json);
    count += 1;
    at = isQuoted ? end + 1 : end;
    if (at >= record.length) break;
    if (record[at] !== comma) return 'a quoted field has text after its closing quote';
    if (count === kinds.length) return 'it has more fields than the header';
    at += 1;
  }
  if (count !== kinds.length) return describeCount(count, kinds.length);
  return Buffer.concat([...parts, '}'].map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

export function describeCount(fields: number, columns: number): string {
  return `it has ${fields === 1 ? 'one field' : `${fields} fields`}, and the header has ${columns === 1 ? 'one' : columns}`;
}

/** The index of the quote that closes a field: one that no other quote follows. */
function findClosing(record: Buffer, from: number): number | string {
  for (let at = from; at < record.length; at += 1) {
    if (record[at] !== quote) continue;
    if (record[at + 1] !== quote) return at;
    at += 1;
  }
  return 'a quoted field has no closing quote';
}

function findComma(record: Buffer, from: number): number | string {
  let at = from;
  for (; at < record.length && record[at] !== comma; at += 1) {
    if (record[at] === quote) return 'a field that has a quote must be quoted, and its quotes doubled';
    if (record[at] === carriageReturn) return 'a carriage return has no line feed: end lines with LF or CRLF';
  }
  return at;
}

/** The text between two indices as a string of JSON. Two quotes are one. */
function toTextJson(record: Buffer, start: number, end: number): Buffer {
  let controls = 0;
  for (let at = start; at < end; at += 1) if ((record[at] as number) < space) controls += 1;
  const out = Buffer.allocUnsafe(2 + 2 * (end - start) + 4 * controls);
  let to = 0;
  out[to++] = quote;
  for (let at = start; at < end; at += 1) {
    const byte = record[at] as number;
    if (byte < space) {
      out[to++] = backslash;
      out[to++] = letterU;
      out[to++] = digitZero;
      out[to++] = digitZero;
      out[to++] = digits[byte >> 4] as number;
      out[to++] = digits[byte & 15] as number;
      continue;
    }
    if (byte === quote) at += 1;
    if (byte === quote || byte === backslash) out[to++] = backslash;
    out[to++] = byte;
  }
  out[to++] = quote;
  return out.subarray(0, to);
}
