const [quote, comma, carriageReturn] = ['"', ',', '\r'];

export interface Cell {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Where the split of a record stops, since a client may send one of any size. */
export interface SplitLimits {
  /** One cell more than these is returned, and the rest of the record is not read. */
  readonly maxCells: number;
  /** A record with more characters before that is a fault. */
  readonly maxLength: number;
}

const unlimited: SplitLimits = { maxCells: Number.POSITIVE_INFINITY, maxLength: Number.POSITIVE_INFINITY };

/** The cells of a record without its line end (RFC 4180), or what is wrong with the record. */
export function splitRecord(
  record: string,
  { maxCells, maxLength }: SplitLimits = unlimited,
): readonly Cell[] | string {
  const cells: Cell[] = [];
  let at = 0;
  for (;;) {
    const isQuoted = record[at] === quote;
    let text: string;
    if (isQuoted) {
      const end = findClosing(record, at + 1, maxLength);
      if (end < 0) return 'a quoted field has no closing quote';
      if (end > maxLength) return `it has more than ${maxLength} characters`;
      text = record.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
      if (at < record.length && record[at] !== comma)
        return 'a quoted field has text after its closing quote';
    } else {
      const end = record.indexOf(comma, at);
      text = record.slice(at, end < 0 ? record.length : end);
      at += text.length;
      if (text.includes(quote)) return 'a field that has a quote must be quoted, and its quotes doubled';
      if (text.includes(carriageReturn))
        return 'a carriage return has no line feed: end lines with LF or CRLF';
    }
    if (at > maxLength) return `it has more than ${maxLength} characters`;
    cells.push({ text, isQuoted });
    if (at >= record.length || cells.length > maxCells) return cells;
    at += 1;
  }
}

/** The index of the quote that closes a field: one that no other quote follows, or any one behind `maxLength`. */
function findClosing(record: string, from: number, maxLength: number): number {
  for (let at = record.indexOf(quote, from); at >= 0; at = record.indexOf(quote, at + 2)) {
    if (record[at + 1] !== quote || at > maxLength) return at;
  }
  return -1;
}

/** What a column holds. `text` is a string of which an empty field is null, as of a feature of type `string`. */
export type CellKind = 'number' | 'boolean' | 'text';

const number = /^([+-]?)(\d*)(?:\.(\d*))?(e[+-]?\d+)?$/i;
const booleans: ReadonlyMap<string, string> = new Map([
  ['true', 'true'],
  ['1', 'true'],
  ['false', 'false'],
  ['0', 'false'],
]);

/**
 * The JSON of a cell. A number keeps its digits. A cell that is no value of its kind becomes a string, so that the
 * model's check refuses it and quotes it.
 */
export function toCellJson({ text, isQuoted }: Cell, kind: CellKind): string {
  if (text === '' && !(kind === 'text' && isQuoted)) return 'null';
  switch (kind) {
    case 'number':
      return toNumberJson(text.trim()) ?? JSON.stringify(text);
    case 'boolean':
      return booleans.get(text.trim().toLowerCase()) ?? JSON.stringify(text);
    case 'text':
      return JSON.stringify(text);
    default:
      return kind satisfies never;
  }
}

/** JSON has no leading plus or zeros, and needs digits on both sides of the point. */
function toNumberJson(text: string): string | undefined {
  const [, sign, whole = '', fraction = '', exponent = ''] = number.exec(text) ?? [];
  if (whole === '' && fraction === '') return undefined;
  const digits = whole.replace(/^0+(?=\d)/, '') || '0';
  return `${sign === '-' ? '-' : ''}${digits}${fraction === '' ? '' : `.${fraction}`}${exponent}`;
}
