import { RefusedError } from '../../errors.js';
import type { Manifest } from '../manifest/manifest.js';
import type { AnswerValue, Scalar } from '../tasks/task.js';
import type { WarmUp } from '../warm-up/warm-up.js';

/** Classes in a sentence: of more it says how many. */
const maxShown = 10;

/** Counts tried rows whose label is not the class with the highest probability. */
export interface LabelDoubts {
  add(answer: AnswerValue): void;
  /** A sentence with the share and what to do; undefined where all agree. */
  readonly note: string | undefined;
}

function createLabelDoubts(label: string, probabilities: string): LabelDoubts {
  let rows = 0;
  let doubtful = 0;
  return {
    add(answer) {
      if (!('probabilities' in answer) || answer.probabilities === undefined) return;
      rows += 1;
      if ((answer.probability as number) < Math.max(...answer.probabilities)) doubtful += 1;
    },
    get note() {
      if (doubtful === 0) return undefined;
      const share = ((100 * doubtful) / rows).toFixed(0);
      return (
        `the label ${label} is not the most probable class in ${doubtful} of ${rows} tried rows (${share} %): if it is no prediction, name only ` +
        `"probabilities": ${JSON.stringify(probabilities)} in output of metadata.json; if the probabilities are none, only "label": ${JSON.stringify(label)}`
      );
    },
  };
}

/** Of a classification whose label and probabilities are both served: one may belie the other. */
export function doubtsOf(
  manifest: Manifest,
  [label, probabilities]: readonly string[],
): LabelDoubts | undefined {
  const { task, output } = manifest;
  if (task !== 'classification' || output?.threshold !== undefined) return undefined;
  return label === undefined || probabilities === undefined
    ? undefined
    : createLabelDoubts(label, probabilities);
}

/**
 * Says that tried rows have a label that is none of the classes, so that their clients get an error, and what to do.
 * Throws `RefusedError` where the classes are no more than counted, as they are where nobody named them.
 */
export function noteOnStrays(
  [label, probabilities]: readonly string[],
  { strays, answers, classes = [] }: Pick<WarmUp, 'strays' | 'answers' | 'classes'>,
): readonly string[] {
  if (strays === 0) return [];
  const note =
    `the label ${label} is none of the classes ${listOf(classes)} in ${strays} of ${strays + answers.length} tried rows: ` +
    'list in output.classes of metadata.json what the label holds' +
    (probabilities === undefined
      ? ''
      : `, in the order of the columns of ${probabilities}; if ${probabilities} holds no probabilities, name only "label": ${JSON.stringify(label)}`);
  if (classes.every((it, k) => it === k)) throw new RefusedError(`model.onnx: ${note}`);
  return [note];
}

function listOf(classes: readonly Scalar[]): string {
  const shown = classes.slice(0, maxShown).join(', ');
  return classes.length > maxShown ? `${shown} and ${classes.length - maxShown} more` : shown;
}
