import { UsageError } from '../../terminal/command.js';

export type TableFormat = 'ndjson' | 'csv' | 'parquet';

/** The format of a file, and whether it is compressed with gzip. */
export interface FileFormat {
  readonly table: TableFormat;
  readonly isPacked: boolean;
}

const suffixes: ReadonlyMap<string, TableFormat> = new Map([
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
  ['csv', 'csv'],
  ['parquet', 'parquet'],
]);
const listed = 'ndjson, csv, parquet, ndjson.gz or csv.gz';

/** The format that an option names. Throws `UsageError`. */
export function parseFormat(text: string, option: string): FileFormat {
  const format = find(text);
  if (format === undefined)
    throw new UsageError(`--${option} must be ${listed}, got ${JSON.stringify(text)}`);
  return format;
}

/** The format that the suffix of a file names; undefined if it names none. */
export function formatOf(path: string): FileFormat | undefined {
  const found = /\.([^./\\]+(?:\.gz)?)$/i.exec(path);
  return found === null ? undefined : find(found[1] as string);
}

export function describeFormat({ table, isPacked }: FileFormat): string {
  return isPacked ? `${table}.gz` : table;
}

function find(text: string): FileFormat | undefined {
  const lower = text.toLowerCase();
  const isPacked = lower.endsWith('.gz');
  const table = suffixes.get(isPacked ? lower.slice(0, -3) : lower);
  // Parquet compresses its pages itself.
  return table === undefined || (isPacked && table === 'parquet') ? undefined : { table, isPacked };
}
