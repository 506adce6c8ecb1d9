import { ServiceError } from '../../errors.js';
import type { Decode } from '../../inference/decode.js';
import type { Tensors } from '../../inference/tensor.js';

/**
 * A sentence on rows whose label is not their most probable class, with the share of the rows that were tried: an
 * output that is no label, or classes in another order, look like this, and so may a calibrated classifier. Undefined
 * where there is none. `outputs` are those of runs of one row each.
 */
export function describeDisagreement(
  outputs: readonly Tensors[],
  decode: Decode,
  classes: readonly unknown[] | undefined,
): string | undefined {
  if (classes === undefined) return undefined;
  let judged = 0;
  let others = 0;
  for (const tensors of outputs) {
    try {
      const { prediction, probabilities } = decode(tensors, 0);
      const own = probabilities?.[classes.indexOf(prediction)];
      if (probabilities === undefined || own === undefined) continue;
      judged += 1;
      if (probabilities.some((it) => it > own)) others += 1;
    } catch (error) {
      // A row that the version answers with an error shows nothing here.
      if (!(error instanceof ServiceError)) throw error;
    }
  }
  if (others === 0) return undefined;
  const share = Math.round((100 * others) / judged);
  return (
    `the label is not the most probable class in ${others} of ${judged} rows that were tried (${share} %), and the ` +
    'label is answered: check output.label and the order of output.classes, or leave output.label out, so that the ' +
    'most probable class is answered'
  );
}
