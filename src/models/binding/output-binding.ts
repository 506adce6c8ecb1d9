import { RefusedError } from '../../errors.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import type { Decode } from '../features/decode.js';
import type { Scalar } from '../tasks/task.js';

export interface OutputBinding {
  readonly fetches: readonly string[];
  readonly hasProbabilities: boolean;
  /** Completes the binding with the outputs of a real run of `rows` rows, since a graph's declarations may be wrong. */
  complete(outputs: Tensors, rows: number): { readonly decode: Decode; readonly classes?: readonly Scalar[] };
}

/** Counts the elements of an output's row. Throws `RefusedError` if rows or runs differ in this count. */
export function createColumnCounter(name: string): (outputs: Tensors, rows: number) => number {
  let known: number | undefined;
  return (outputs, rows) => {
    const tensor = outputs[name];
    const columns = (tensor?.data.length ?? 0) / rows;
    if (Number.isInteger(columns) && columns >= 1 && columns === (known ?? columns)) {
      known = columns;
      return columns;
    }
    throw new RefusedError(
      `the output ${name} has dims [${tensor?.dims.join(', ')}] for ${rows} row${rows === 1 ? '' : 's'}: each row must have the same number of elements`,
    );
  };
}
