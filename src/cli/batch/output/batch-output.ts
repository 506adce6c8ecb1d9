import { RefusedError } from '../../../errors.js';
import type { LoadedVersion } from '../../../models/registry/loaded-version.js';
import { listAnswerColumns, listReserved } from '../../../models/tasks/answer-columns.js';
import type { BatchPlan } from '../plan/batch-plan.js';
import { createRowSplitter, type RowSplitter } from '../rows/kept-members.js';
import { type ColumnType, typeOfClasses, typeOfFeature } from '../rows/parquet-types.js';
import { holdUntilColumns } from './held-output.js';
import { createParquetOutput } from './parquet-output.js';
import { createTextOutput, type RowOutput } from './row-output.js';
import { packInto, type Sink } from './sink.js';
import { createCsvRows, lineRows } from './text-rows.js';

/** How the rows of a run are split and written. */
export interface BatchLayout {
  readonly splitter: RowSplitter;
  /** `state` is that of an earlier run, whose output the sink has; undefined at the start. */
  openOutput(sink: Sink, state: unknown): RowOutput;
}

/** Throws `RefusedError` if the answers of the model have no columns. */
export function createLayout(
  { keep, to }: BatchPlan,
  columnTypes: ReadonlyMap<string, ColumnType>,
  loaded: LoadedVersion,
): BatchLayout {
  const { task, manifest, name } = loaded;
  const isTable = to.table !== 'ndjson';
  if (isTable && task.answerShape === undefined) {
    throw new RefusedError(`${name} answers with tensors, which ${to.table} cannot hold: write ndjson`);
  }
  const answer = task.answerShape === undefined ? [] : listAnswerColumns(task.answerShape);
  const known = new Set(manifest.features?.map((feature) => feature.name) ?? ['inputs', 'outputs']);
  const splitter = createRowSplitter(keep, known, listReserved(answer), isTable);
  const kept = () => splitter.columns ?? [];
  return {
    splitter,
    openOutput(sink, state) {
      const output = openRows(sink, state);
      return isTable ? holdUntilColumns(output, splitter) : output;
    },
  };

  function openRows(sink: Sink, state: unknown): RowOutput {
    if (to.table === 'parquet') {
      const features = (manifest.features ?? []).map((it) => [it.name, typeOfFeature(it)] as const);
      const types = new Map<string, ColumnType>([...features, ...columnTypes]);
      for (const column of answer) types.set(column.name, 'DOUBLE');
      types.set('index', 'INT64').set('error', 'STRING');
      const { classes } = task.answerShape ?? {};
      if (classes !== undefined) types.set('prediction', typeOfClasses(classes));
      else if (manifest.task === 'classification') types.delete('prediction');
      return createParquetOutput({ answer, kept, types }, sink, state);
    }
    const rows = to.table === 'csv' ? createCsvRows(answer, kept) : lineRows;
    return createTextOutput(rows, to.isPacked ? packInto(sink) : sink, state !== undefined);
  }
}
