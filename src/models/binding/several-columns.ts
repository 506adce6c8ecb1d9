import { RefusedError } from '../../errors.js';

/** A run gave another number of columns a row than the manifest has names for. */
export class ColumnsError extends RefusedError {
  readonly output: string;
  readonly columns: number;

  constructor(output: string, columns: number, message: string) {
    super(message);
    this.output = output;
    this.columns = columns;
  }
}

const maxListed = 20;

/** Names for the columns of an output that has none. */
export function columnNames(output: string, columns: number): string[] {
  return Array.from({ length: columns }, (_, k) => `${output}${k}`);
}

/** Why an output with several labels a row is no classification, and how it can be served: in options of `add`. */
export function severalLabels(output: string, columns: number): RefusedError {
  const names = columnNames(output, columns);
  const list = columns > maxListed ? '' : ` --names ${quote(names.join(','))}`;
  return new RefusedError(
    `${explain(output, columns)}: run the command again with --task regression --value ${quote(output)}${list} for a number by name for each, or with --task tensor for all outputs as they are`,
  );
}

/** The same for a manifest. */
export function severalLabelsIn(output: string, columns: number): ColumnsError {
  const names = columns > maxListed ? '["…"]' : JSON.stringify(columnNames(output, columns));
  return new ColumnsError(
    output,
    columns,
    `${explain(output, columns)}: say "task": "regression", "output": {"value": ${JSON.stringify(output)}, "names": ${names}} in metadata.json for a number by name for each, or "task": "tensor" for all outputs as they are`,
  );
}

function explain(output: string, columns: number): string {
  return `the output ${output} has ${columns} columns a row, each for a label of its own, and several labels at once are no classification`;
}

/** For a shell, where a name is not plain. */
function quote(text: string): string {
  return /^[\w.,:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
