import type { SchemaElement } from 'hyparquet';
import { RefusedError } from '../../../errors.js';
import type { Feature } from '../../../models/manifest/manifest.js';
import { describeValue } from '../../../text/describe-value.js';
import { toJson } from './loose-json.js';

/** The types of a column of the output. */
export type ColumnType = 'INT64' | 'DOUBLE' | 'BOOLEAN' | 'STRING';

/** The type in the output of a column of a Parquet file. Dates, decimals and nested values become texts. */
export function typeOfElement({
  type,
  converted_type,
  logical_type,
  num_children,
}: SchemaElement): ColumnType {
  if (num_children) return 'STRING';
  if (type === 'FLOAT' || type === 'DOUBLE') return 'DOUBLE';
  if (type === 'BOOLEAN') return 'BOOLEAN';
  const isInteger = /^U?INT_(8|16|32)$|^INT_64$/.test(converted_type ?? 'INT_64');
  const isOther = logical_type !== undefined && logical_type.type !== 'INTEGER';
  return (type === 'INT32' || type === 'INT64') && isInteger && !isOther ? 'INT64' : 'STRING';
}

/** The type that holds all of some values. */
export function typeOfValues(values: readonly unknown[]): ColumnType {
  const kinds = new Set(values.filter((it) => it !== null).map((it) => typeof it));
  if (kinds.size !== 1) return 'STRING';
  if (kinds.has('number')) return 'DOUBLE';
  return kinds.has('boolean') ? 'BOOLEAN' : 'STRING';
}

/** The type for the values of a feature. */
export function typeOfFeature({ type }: Pick<Feature, 'type'>): ColumnType {
  return ({ integer: 'INT64', number: 'DOUBLE', boolean: 'BOOLEAN', string: 'STRING' } as const)[type];
}

/** The type for the classes of a model. */
export function typeOfClasses(classes: readonly unknown[]): ColumnType {
  const type = typeOfValues(classes);
  return type === 'DOUBLE' && classes.every(Number.isSafeInteger) ? 'INT64' : type;
}

/**
 * The values of a column as its type. A row for which `isQuoted` may have a value of another type, which becomes null:
 * the error of the row quotes it. Throws `RefusedError` for such a value of another row, with its index in the input.
 */
export function toColumn(
  name: string,
  type: ColumnType,
  values: readonly unknown[],
  isQuoted: (row: number) => boolean,
  indexOf: (row: number) => number,
): unknown[] {
  return values.map((value, row) => {
    if (value === null || value === undefined) return null;
    switch (type) {
      case 'INT64':
        if (typeof value === 'bigint') return value;
        if (Number.isSafeInteger(value)) return BigInt(value as number);
        break;
      case 'DOUBLE':
        if (typeof value === 'number') return value;
        break;
      case 'BOOLEAN':
        if (typeof value === 'boolean') return value;
        break;
      case 'STRING':
        return typeof value === 'string' ? value : toJson(value);
      default:
        return type satisfies never;
    }
    if (isQuoted(row)) return null;
    throw new RefusedError(
      `the column ${name} has the value ${describeValue(value)} in the row with index ${indexOf(row)}, and other types before: a column of Parquet has one type. Write csv or ndjson instead, as with --out FILE.csv`,
    );
  });
}
