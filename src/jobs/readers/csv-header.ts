import { ServiceError } from '../../errors.js';
import type { Feature } from '../../models/manifest/manifest.js';
import { type CellKind, type SplitLimits, splitRecord } from './csv-cells.js';
import { checkColumns, maxColumnsOf, type TableModel } from './table-columns.js';

/** A column of a CSV, in the order of its header. */
export interface CsvColumn {
  readonly name: string;
  readonly kind: CellKind;
}

/** Other columns than features are read as texts. */
export interface CsvModel extends TableModel {
  /** Called with the header, before the first row. */
  readonly onColumns?: (names: readonly string[]) => void;
}

/** Characters of a header beyond those of the names of the features, for quotes and for names that are no features. */
const spareLength = 65_536;
const kinds = { number: 'number', integer: 'number', boolean: 'boolean', string: 'text' } as const;

/** The columns that a header names. Throws `invalid_input` with every problem of the header. */
export function readHeader(record: string, model: CsvModel): readonly CsvColumn[] {
  const cells = splitRecord(record, limitsOf(model));
  if (typeof cells === 'string') throw refuseCsv(`The header cannot be read: ${cells}.`);
  const features = new Map(model.features.map((feature) => [feature.name, feature]));
  const names = cells.map(({ text }) => text);
  const other = findSeparator(names, features);
  if (other !== undefined) {
    throw refuseCsv(`The fields of the header are separated by ${other}: separate fields with commas.`);
  }
  checkColumns(names, model, 'header');
  model.onColumns?.(names);
  return names.map((name) => ({ name, kind: kinds[features.get(name)?.type ?? 'string'] }));
}

/** A header of 8 MB took seconds of the thread. */
function limitsOf(model: CsvModel): SplitLimits {
  const maxCells = maxColumnsOf(model);
  const named = model.features.reduce((sum, { name }) => sum + name.length, 0);
  // A quoted name may have each of its quotes doubled.
  return { maxCells, maxLength: model.takesOthers ? maxCells : spareLength + 2 * named };
}

export function refuseCsv(detail: string): ServiceError {
  return new ServiceError('invalid_input', { detail });
}

function findSeparator(names: readonly string[], features: ReadonlyMap<string, Feature>): string | undefined {
  const [only = ''] = names;
  if (names.length > 1 || features.has(only)) return undefined;
  if (only.includes(';')) return 'semicolons';
  return only.includes('\t') ? 'tabs' : undefined;
}
