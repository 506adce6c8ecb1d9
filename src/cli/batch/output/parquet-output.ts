import type { RowGroup, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { ServiceError } from '../../../errors.js';
import type { AnswerColumn } from '../../../models/tasks/answer-columns.js';
import type { Prediction } from '../../../models/tasks/task.js';
import { describeRowError } from '../../../text/row-error.js';
import type { OutputRow } from '../rows/batch-row.js';
import { listKept } from '../rows/kept-members.js';
import { type ColumnType, toColumn, typeOfValues } from '../rows/parquet-types.js';
import type { RowOutput } from './row-output.js';
import type { Sink } from './sink.js';

/** A row group is in memory until it is written. */
const maxGroupRows = 32_768;
const maxGroupCells = 1_000_000;

export interface ParquetColumns {
  readonly answer: readonly AnswerColumn[];
  readonly kept: () => readonly string[];
  /** Types that are known. Another column has the type of the values in the first row group. */
  readonly types: ReadonlyMap<string, ColumnType>;
}

const never = (): boolean => false;

/** What a later run needs: the row groups that the output has, and the types of all columns, in order. */
interface ParquetState {
  readonly types: readonly (readonly [string, ColumnType])[];
  readonly rows: number;
  readonly groups: string;
}

/** Writes Parquet, a row group after the other. `state` is that of an earlier run whose row groups the sink has. */
export function createParquetOutput(columns: ParquetColumns, sink: Sink, state?: unknown): RowOutput {
  let pending: PendingRows | undefined;
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
    const { count, values } = pending ?? new PendingRows(columns);
    const errors = values.get('error') ?? [];
    const hasFailed = (row: number): boolean => typeof errors[row] === 'string';
    const indexOf = (row: number): number => Number(values.get('index')?.[row]);
    if (writer === undefined) {
      types = [...values].map(([name, some]) => [name, columns.types.get(name) ?? typeOfValues(some)]);
      writer = begin(types, bytes);
    }
    const columnData = types.map(([name, type]) => ({
      name,
      // The error of a row quotes the values of its features alone.
      data: toColumn(
        name,
        type,
        values.get(name) ?? [],
        columns.types.has(name) ? hasFailed : never,
        indexOf,
      ),
      offsetIndex: false,
    }));
    if (count > 0) writer.write({ columnData, rowGroupSize: count });
    // Only indexes of pages are read from here at the end, and there are none.
    writer.pendingIndexes = [];
    await drain();
    pending = undefined;
  };

  return {
    get canPause() {
      return pending === undefined;
    },
    get state() {
      if (writer === undefined) return null;
      const rows = Number(writer.num_rows);
      return { types, rows, groups: toText(writer.row_groups) } satisfies ParquetState;
    },
    async write(rows) {
      // Made here, since the first rows decide which columns are carried over.
      pending ??= new PendingRows(columns);
      pending.add(rows);
      if (pending.count >= Math.min(maxGroupRows, maxGroupCells / pending.values.size)) await writeGroup();
    },
    async flush() {
      if (pending !== undefined) await writeGroup();
    },
    async end() {
      if (pending !== undefined || writer === undefined) await writeGroup();
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

/** The rows of the next row group, column by column: the rows themselves would take several times the memory. */
class PendingRows {
  readonly values: ReadonlyMap<string, unknown[]>;
  readonly #kept: readonly string[];
  readonly #answer: readonly AnswerColumn[];
  #count = 0;

  constructor({ answer, kept }: ParquetColumns) {
    this.#kept = kept();
    this.#answer = answer;
    const names = ['index', ...this.#kept, ...answer.map(({ name }) => name), 'error'];
    this.values = new Map(names.map((name) => [name, []]));
  }

  get count(): number {
    return this.#count;
  }

  add(rows: readonly OutputRow[]): void {
    this.#count += rows.length;
    const push = (name: string, value: unknown): void => void this.values.get(name)?.push(value);
    for (const { index, kept, outcome } of rows) {
      push('index', index);
      for (const [k, value] of listKept(kept, this.#kept).entries()) push(this.#kept[k] as string, value);
      const isFailure = outcome instanceof ServiceError;
      for (const { name, read } of this.#answer) {
        push(name, isFailure ? null : read(outcome.value as Prediction));
      }
      push('error', isFailure ? describeRowError(outcome) : null);
    }
  }
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
