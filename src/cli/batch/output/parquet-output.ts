import type { RowGroup, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { ServiceError } from '../../../errors.js';
import type { Prediction } from '../../../models/tasks/task.js';
import type { AnswerColumn } from '../rows/answer-columns.js';
import { describeRowError, type OutputRow } from '../rows/batch-row.js';
import { listKept } from '../rows/kept-members.js';
import { type ColumnType, toColumn, typeOfValues } from '../rows/parquet-types.js';
import type { RowOutput } from './row-output.js';
import type { Sink } from './sink.js';

/** A row group is in memory until it is written. */
const maxGroupRows = 65_536;
const maxGroupCells = 2_000_000;

export interface ParquetColumns {
  readonly answer: readonly AnswerColumn[];
  readonly kept: () => readonly string[];
  /** Types that are known. Another column has the type of the values in the first row group. */
  readonly types: ReadonlyMap<string, ColumnType>;
}

/** What a later run needs: the row groups that the output has, and the types of all columns, in order. */
interface ParquetState {
  readonly types: readonly (readonly [string, ColumnType])[];
  readonly rows: number;
  readonly groups: string;
}

/** Writes Parquet, a row group after the other. `state` is that of an earlier run whose row groups the sink has. */
export function createParquetOutput(columns: ParquetColumns, sink: Sink, state?: unknown): RowOutput {
  let pending: OutputRow[] = [];
  let types: readonly (readonly [string, ColumnType])[] = [];
  let writer: ParquetWriter | undefined;
  const bytes = new ByteWriter();
  if (state !== undefined && state !== null) {
    const before = state as ParquetState;
    types = before.types;
    writer = begin(types, bytes);
    bytes.index = 0;
    bytes.offset = sink.bytes;
    writer.row_groups = revive(before.groups);
    writer.num_rows = BigInt(before.rows);
  }

  const drain = async (): Promise<void> => {
    await sink.write(bytes.getBytes());
    bytes.index = 0;
  };

  const writeGroup = async (): Promise<void> => {
    const rows = pending;
    pending = [];
    const values = toValues(rows, columns);
    if (writer === undefined) {
      types = [...values].map(([name, some]) => [name, columns.types.get(name) ?? typeOfValues(some)]);
      writer = begin(types, bytes);
    }
    const columnData = types.map(([name, type]) => ({
      name,
      data: toColumn(name, type, values.get(name) ?? []),
      offsetIndex: false,
    }));
    if (rows.length > 0) writer.write({ columnData, rowGroupSize: rows.length });
    // Only indexes of pages are read from here at the end, and there are none.
    writer.pendingIndexes = [];
    await drain();
  };

  return {
    get canPause() {
      return pending.length === 0;
    },
    get state() {
      if (writer === undefined) return null;
      const rows = Number(writer.num_rows);
      return { types, rows, groups: toText(writer.row_groups) } satisfies ParquetState;
    },
    async write(rows) {
      pending.push(...rows);
      const width = columns.answer.length + columns.kept().length + 2;
      if (pending.length >= Math.min(maxGroupRows, maxGroupCells / width)) await writeGroup();
    },
    async flush() {
      if (pending.length > 0) await writeGroup();
    },
    async end() {
      if (pending.length > 0 || writer === undefined) await writeGroup();
      writer?.finish();
      await drain();
    },
  };
}

function begin(types: readonly (readonly [string, ColumnType])[], writer: ByteWriter): ParquetWriter {
  const leaves = types.map(([name, type]): SchemaElement => {
    const element = { name, repetition_type: name === 'index' ? 'REQUIRED' : 'OPTIONAL' } as const;
    return type === 'STRING'
      ? { ...element, type: 'BYTE_ARRAY', converted_type: 'UTF8' }
      : { ...element, type };
  });
  const schema = [{ name: 'root', num_children: leaves.length }, ...leaves];
  return new ParquetWriter({ writer, schema, statistics: false, createdBy: 'sardonyx' });
}

function toValues(
  rows: readonly OutputRow[],
  columns: ParquetColumns,
): ReadonlyMap<string, readonly unknown[]> {
  const values = new Map<string, unknown[]>([['index', rows.map(({ index }) => index)]]);
  const kept = columns.kept();
  for (const [k, name] of kept.entries())
    values.set(
      name,
      rows.map((row) => listKept(row.kept, kept)[k] ?? null),
    );
  for (const { name, read } of columns.answer) {
    values.set(
      name,
      rows.map(({ outcome }) => (outcome instanceof ServiceError ? null : read(outcome.value as Prediction))),
    );
  }
  values.set(
    'error',
    rows.map(({ outcome }) => (outcome instanceof ServiceError ? describeRowError(outcome) : null)),
  );
  return values;
}

/** Row groups have 64-bit integers, which JSON has not. */
function toText(groups: readonly RowGroup[]): string {
  return JSON.stringify(groups, (_name, value: unknown) =>
    typeof value === 'bigint' ? { bigint: String(value) } : value,
  );
}

function revive(text: string): RowGroup[] {
  return JSON.parse(text, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && 'bigint' in value ? BigInt(String(value.bigint)) : value,
  ) as RowGroup[];
}
