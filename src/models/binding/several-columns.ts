import { RefusedError } from '../../errors.js';

/** A run has returned another number of columns than the manifest has names. */
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

export function columnNames(output: string, columns: number): string[] {
  return Array.from({ length: columns }, (_, k) => `${output}${k}`);
}

/** Why an output with several labels a row is not a classification, and the options of `add` that serve it. */
export function severalLabels(output: string, columns: number): RefusedError {
  const names = columnNames(output, columns);
  const list = columns > maxListed ? '' : ` --names ${quote(names.join(','))}`;
  return new RefusedError(
    `${explain(output, columns)}: run the command again with --task regression --value ${quote(output)}${list} for one named number a label, or with --task tensor for all outputs unchanged`,
  );
}

/** As `severalLabels`, with the keys of a manifest. */
export function severalLabelsIn(output: string, columns: number): ColumnsError {
  const names = columns > maxListed ? '["…"]' : JSON.stringify(columnNames(output, columns));
  return new ColumnsError(
    output,
    columns,
    `${explain(output, columns)}: set "task": "regression", "output": {"value": ${JSON.stringify(output)}, "names": ${names}} in metadata.json for one named number a label, or "task": "tensor" for all outputs unchanged`,
  );
}

function explain(output: string, columns: number): string {
  return `the output ${output} has ${columns} columns a row, each for a label of its own, and a classification cannot have several labels at once`;
}

/** Quotes a name for a shell, if necessary. */
function quote(text: string): string {
  return /^[\w.,:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
