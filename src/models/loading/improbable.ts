import { RefusedError } from '../../errors.js';
import type { AnswerValue } from '../tasks/task.js';

/** Error of float32 rounding in a probability, with a margin for sums over many trees. */
const tolerance = 1e-3;
const maxShown = 5;

/** Throws `RefusedError` if a tried row has a probability below 0 or above 1. `fetches` ends with the probabilities. */
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
      `${alone}give the output.activation that turns its values into probabilities, or serve them with the task tensor`,
  );
}
