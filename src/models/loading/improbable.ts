import { RefusedError } from '../../errors.js';
import type { AnswerValue } from '../tasks/task.js';

/** What float32 rounding adds to a probability, with room for sums over many trees. */
const tolerance = 1e-3;
const maxShown = 5;

/**
 * Refuses an output that is served as probabilities and is none: a tried row has values below 0 or above 1. `fetches`
 * are the label, where there is one, and the probabilities. Throws `RefusedError`.
 */
export function refuseImprobable(fetches: readonly string[], answers: readonly AnswerValue[]): void {
  const wrong = answers
    .flatMap((answer) => ('probabilities' in answer && answer.probabilities ? [answer.probabilities] : []))
    .find((row) => row.some((it) => it < -tolerance || it > 1 + tolerance));
  if (wrong === undefined) return;
  const probabilities = fetches.at(-1);
  const alone =
    fetches.length < 2
      ? ''
      : `name only "label": ${JSON.stringify(fetches[0])} in output of metadata.json, or `;
  throw new RefusedError(
    `model.onnx: ${probabilities} holds no probabilities, since a tried row has ${wrong.slice(0, maxShown).join(', ')}: ` +
      `${alone}give the output.activation that makes probabilities of them, or serve them with the task tensor`,
  );
}
