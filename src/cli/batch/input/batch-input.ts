import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { RefusedError, ServiceError } from '../../../errors.js';
import { createCsvReader } from '../../../jobs/readers/csv-reader.js';
import type { LoadedVersion } from '../../../models/registry/loaded-version.js';
import type { CliContext } from '../../terminal/command.js';
import type { BatchPlan } from '../plan/batch-plan.js';
import type { InputRow } from '../rows/batch-row.js';
import type { RowSplitter } from '../rows/kept-members.js';
import type { ColumnType } from '../rows/parquet-types.js';
import { createJsonLines } from './json-lines.js';
import { openParquet } from './parquet-input.js';
import { type RawReader, readTextRows } from './text-input.js';

/** A row of a tensor model may be large. */
const bounds = { maxRowBytes: 67_108_864 };
const pieceBytes = 65_536;

export interface BatchInput {
  /** Of a regular file. Only such an input can be read again from the start. */
  readonly file: { readonly bytes: number; readonly changedMs: number } | undefined;
  /** The types of its columns, for the output; empty if they are not known. */
  readonly types: ReadonlyMap<string, ColumnType>;
  /** The share that has been read, from 0 to 1; undefined if the size is unknown. */
  share(): number | undefined;
  /** The rows without the first `skipped` ones. */
  read(splitter: RowSplitter, skipped: number): AsyncIterable<readonly InputRow[]>;
  close(): Promise<void>;
}

/** Throws `RefusedError` for a file that cannot be read, and `invalid_input` for columns that do not fit the model. */
export async function openInput(
  plan: BatchPlan,
  stdin: CliContext['stdin'],
  { name, manifest }: LoadedVersion,
): Promise<BatchInput> {
  const { source, from, keep } = plan;
  const found = source === undefined ? undefined : await stat(source);
  if (found?.isDirectory()) throw new RefusedError(`${source} is a folder`);
  const file = found?.isFile() ? { bytes: found.size, changedMs: found.mtimeMs } : undefined;
  const { features } = manifest;
  if (features === undefined && from.table !== 'ndjson') {
    throw new RefusedError(`${name} takes tensors, which ${from.table} cannot hold: give ndjson`);
  }
  const model = { name, features: features ?? [], takesOthers: keep !== undefined };
  if (from.table === 'parquet') {
    if (source === undefined || file === undefined) throw new RefusedError('Parquet needs a regular file');
    const parquet = await openParquet(source, file.bytes, model).catch((error: unknown) => {
      throw suggestKeep(error, plan);
    });
    return {
      file,
      types: parquet.types,
      share: () => (parquet.rows === 0 ? 1 : parquet.done / parquet.rows),
      read(splitter, skipped) {
        splitter.setColumns(parquet.names);
        return parquet.read(splitter, skipped);
      },
      close: parquet.close,
    };
  }
  const stream = source === undefined ? undefined : createReadStream(source, { highWaterMark: pieceBytes });
  return {
    file,
    types: new Map(),
    share: () => (stream && file && file.bytes > 0 ? Math.min(1, stream.bytesRead / file.bytes) : undefined),
    async *read(splitter, skipped) {
      const onColumns = splitter.setColumns;
      const reader: RawReader =
        from.table === 'csv' ? createCsvReader(bounds, { ...model, onColumns }) : createJsonLines(bounds);
      const bytes = stream ?? stdin ?? Readable.from([]);
      try {
        yield* readTextRows({ bytes, isPacked: from.isPacked }, reader, splitter, skipped);
      } catch (error) {
        throw suggestKeep(error, plan);
      }
    },
    close: async () => void stream?.destroy(),
  };
}

function suggestKeep(error: unknown, { keep }: BatchPlan): unknown {
  if (keep !== undefined || !(error instanceof ServiceError)) return error;
  const { code, detail, problems = [] } = error;
  if (!problems.some(({ message }) => message.includes(' is not a feature of '))) return error;
  return new ServiceError(code, {
    detail: `${detail} --keep carries columns that are no features over to the output.`,
    problems,
    cause: error,
  });
}
