import { RefusedError } from '../../errors.js';
import type { Tensors } from '../../inference/tensors/tensor.js';
import type { Decode } from '../features/decode.js';
import type { Scalar } from '../tasks/task.js';

/** Which outputs a version's answers come from, and how. */
export interface OutputBinding {
  readonly fetches: readonly string[];
  readonly hasProbabilities: boolean;
  /** Completes the binding from the outputs of a real run of `rows` rows: what a graph declares may be wrong. */
  complete(outputs: Tensors, rows: number): { readonly decode: Decode; readonly classes?: readonly Scalar[] };
}

/**
 * Counts the elements a row of an output in runs of so many rows, which must be the same in every run.
 * Throws `RefusedError`.
 */
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
      `the output ${name} has dims [${tensor?.dims.join(', ')}] for ${rows} row${rows === 1 ? '' : 's'}: not the same number of elements for each`,
    );
  };
}
