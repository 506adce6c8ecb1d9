import { type FileHandle, open } from 'node:fs/promises';
import {
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaElement,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf, RefusedError } from '../../../errors.js';
import { checkColumns, type TableModel } from '../../../jobs/readers/table-columns.js';
import type { InputRow } from '../rows/batch-row.js';
import type { RowSplitter } from '../rows/kept-members.js';
import { type ColumnType, typeOfElement } from '../rows/parquet-types.js';
import { annotateTexts, parsers, toInputRow } from './parquet-values.js';

/** Cells that are decoded at once, and rows: a row group may have a million of them. */
const maxCells = 300_000;
const maxRows = 32_768;
const chunkRows = 256;

export interface ParquetInput {
  readonly rows: number;
  /** Rows that have been read, of this run and of those before it. */
  readonly done: number;
  readonly names: readonly string[];
  readonly types: ReadonlyMap<string, ColumnType>;
  read(splitter: RowSplitter, skipped: number): AsyncGenerator<readonly InputRow[]>;
  close(): Promise<void>;
}

/** Opens a Parquet file; its rows are read in slices of its row groups. Throws `RefusedError`, and `invalid_input` for columns. */
export async function openParquet(path: string, bytes: number, model: TableModel): Promise<ParquetInput> {
  const handle = await open(path);
  /** The bytes of the columns in the row group that is read: each slice of its rows needs them. */
  const held = new Map<string, Promise<ArrayBuffer>>();
  const file = {
    byteLength: bytes,
    async slice(start: number, end = bytes) {
      // Checked before the memory is allocated: the positions come from the file.
      if (start < 0 || end > bytes) throw new Error('a position is beyond the end of the file');
      const range = `${start}-${end}`;
      const found = held.get(range) ?? readSlice(handle, start, end);
      held.set(range, found);
      return found;
    },
  };
  const refuse = (cause: unknown) =>
    new RefusedError(`${path} cannot be read as Parquet: ${messageOf(cause)}`, { cause });
  let metadata: FileMetaData;
  let elements: readonly SchemaElement[];
  try {
    metadata = await parquetMetadataAsync(file);
    const rows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n);
    if (rows !== metadata.num_rows)
      throw new Error('its row groups have another number of rows than the file');
    elements = parquetSchema(metadata).children.map(({ element }) => element);
  } catch (error) {
    await handle.close();
    throw refuse(error);
  }
  const names = elements.map(({ name }) => name);
  try {
    checkColumns(names, model, 'file');
  } catch (error) {
    await handle.close();
    throw error;
  }
  const features = new Set(model.features.map(({ name }) => name));
  const columns = model.takesOthers ? names : names.filter((name) => features.has(name));
  const total = Number(metadata.num_rows);
  const annotated = annotateTexts(metadata, elements, features);
  let done = 0;
  return {
    rows: total,
    names,
    types: new Map(elements.map((element) => [element.name, typeOfElement(element)])),
    get done() {
      return done;
    },
    async *read(splitter, skipped) {
      const sliceRows = Math.max(1, Math.min(maxRows, Math.floor(maxCells / Math.max(1, columns.length))));
      let groupStart = 0;
      done = skipped;
      for (const group of metadata.row_groups) {
        const groupEnd = groupStart + Number(group.num_rows);
        held.clear();
        for (let rowStart = Math.max(groupStart, skipped); rowStart < groupEnd; ) {
          const rowEnd = Math.min(rowStart + sliceRows, groupEnd);
          const rows = await parquetReadObjects({
            file,
            metadata: annotated.metadata,
            columns,
            rowStart,
            rowEnd,
            compressors,
            parsers,
            utf8: false,
          }).catch((error: unknown) => {
            throw refuse(error);
          });
          if (rows.length !== rowEnd - rowStart)
            throw refuse(new Error('a row group has fewer rows than it says'));
          for (let at = 0; at < rows.length; at += chunkRows) {
            done = rowStart + at;
            yield rows.slice(at, at + chunkRows).map((row) => toInputRow(row, annotated, splitter));
          }
          rowStart = rowEnd;
          done = rowEnd;
        }
        groupStart = groupEnd;
      }
    },
    close: () => handle.close(),
  };
}

async function readSlice(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const buffer = new ArrayBuffer(Math.max(0, end - start));
  const view = new Uint8Array(buffer);
  for (let at = 0; at < view.length; ) {
    const { bytesRead } = await handle.read(view, at, view.length - at, start + at);
    if (bytesRead === 0) throw new Error('the file ends too early');
    at += bytesRead;
  }
  return buffer;
}
