import type { FileMetaData, ParquetParsers, SchemaElement } from 'hyparquet';
import { type Problem, ServiceError } from '../../../errors.js';
import { pointerToken } from '../../../text/describe-value.js';
import type { InputRow } from '../rows/batch-row.js';
import type { RowSplitter } from '../rows/kept-members.js';

const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes of a text that are not UTF-8 stay bytes, dates have no time, and times keep their digits below a millisecond. */
export const parsers: Partial<ParquetParsers> = {
  stringFromBytes(bytes: Uint8Array | undefined) {
    try {
      return bytes && textDecoder.decode(bytes);
    } catch {
      return bytes;
    }
  },
  dateFromDays: (days) => toIsoText(days * 86_400_000)?.slice(0, -'T00:00:00.000Z'.length) ?? null,
  timestampFromMilliseconds: (millis) => toIsoText(Number(millis)) ?? null,
  timestampFromMicroseconds: (micros) => toTimeText(micros, 3),
  timestampFromNanoseconds: (nanos) => toTimeText(nanos, 6),
};

/** Undefined beyond the range of dates. */
function toIsoText(ms: number): string | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A time by ISO 8601. `digits` are those below a millisecond. Null beyond the range of dates. */
function toTimeText(time: bigint, digits: number): string | null {
  const unit = 10n ** BigInt(digits);
  const rest = ((time % unit) + unit) % unit;
  const text = toIsoText(Number((time - rest) / unit));
  if (text === undefined) return null;
  const below = String(rest)
    .padStart(digits, '0')
    .replace(/(?:000)+$/, '');
  return `${text.slice(0, -1)}${below}Z`;
}

/** The metadata of a file whose texts have the annotation that the reader knows, and names of its columns. */
export interface AnnotatedTexts {
  readonly metadata: FileMetaData;
  readonly texts: ReadonlySet<string>;
  /** The columns of times without a zone, as pandas writes them. */
  readonly localTimes: ReadonlySet<string>;
}

/**
 * Annotates the texts that Parquet names by other annotations. Old writers give texts none: a column without one is a
 * text if it is a feature, since no feature is bytes, and else it is bytes. `columns` are the elements of the columns.
 */
export function annotateTexts(
  metadata: FileMetaData,
  columns: readonly SchemaElement[],
  features: ReadonlySet<string>,
): AnnotatedTexts {
  const ofFeatures = new Set(columns.filter(({ name }) => features.has(name)));
  const isText = (element: SchemaElement): boolean => {
    const { type, converted_type: converted, logical_type: logical } = element;
    if (type !== 'BYTE_ARRAY') return false;
    if (converted === undefined && logical === undefined) return ofFeatures.has(element);
    // JSON with the older annotation is parsed.
    if (converted === undefined) return /^(STRING|ENUM|JSON)$/.test(logical?.type ?? '');
    return converted === 'UTF8' || converted === 'ENUM';
  };
  const schema = metadata.schema.map(
    (element): SchemaElement => (isText(element) ? { ...element, converted_type: 'UTF8' } : element),
  );
  return {
    metadata: { ...metadata, schema },
    texts: new Set(columns.filter(isText).map(({ name }) => name)),
    localTimes: new Set(columns.filter(isLocalTime).map(({ name }) => name)),
  };
}

function isLocalTime({ logical_type: logical }: SchemaElement): boolean {
  return logical?.type === 'TIMESTAMP' && !logical.isAdjustedToUTC;
}

/** Splits a row of a file. A text that is not UTF-8 makes it fail, and is kept as base64. */
export function toInputRow(
  values: Record<string, unknown>,
  { texts, localTimes }: Pick<AnnotatedTexts, 'texts' | 'localTimes'>,
  splitter: RowSplitter,
): InputRow {
  const problems: Problem[] = [];
  for (const name of localTimes) {
    const time = values[name];
    if (typeof time === 'string') values[name] = time.slice(0, -1);
  }
  for (const name of Object.keys(values)) {
    const value = values[name];
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') continue;
    if (value instanceof Uint8Array && texts.has(name))
      problems.push({ pointer: `/${pointerToken(name)}`, message: 'is not valid UTF-8' });
    values[name] = toPlain(value);
  }
  const row = splitter.split(values);
  if (problems.length === 0 || 'error' in row) return row;
  const detail = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const error = new ServiceError('invalid_input', { detail, problems });
  return row.kept === undefined ? { error } : { error, kept: row.kept };
}

/** Numbers of 64 bits that a double holds become numbers; dates become texts, and bytes base64, also in lists. */
function toPlain(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value !== 'object') return value;
  if (value instanceof Date) return toIsoText(value.getTime()) ?? null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(toPlain);
  return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, toPlain(it)]));
}
