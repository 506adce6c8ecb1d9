import { RefusedError } from '../../errors.js';
import type { Manifest } from '../manifest/manifest.js';
import type { AnswerValue, Scalar } from '../tasks/task.js';
import type { WarmUp } from '../warm-up/warm-up.js';

const maxShown = 10;

/** Counts the tried rows whose label is not the class with the highest probability. */
export interface LabelDoubts {
  add(answer: AnswerValue): void;
  /** The share and advice as a sentence; undefined if the label is always the most probable class. */
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
        `the label ${label} is not the most probable class in ${doubtful} of ${rows} tried rows (${share} %): if the label is not the prediction, name only ` +
        `"probabilities": ${JSON.stringify(probabilities)} in output of metadata.json; if ${probabilities} holds no probabilities, name only "label": ${JSON.stringify(label)}`
      );
    },
  };
}

/** Only for a classification that serves a label and probabilities, which may contradict each other. */
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
 * Returns a note with advice if tried rows have a label that is none of the classes, which clients see as an error.
 * Throws `RefusedError` if the classes are 0, 1, 2, …, as they are if nobody named them.
 */
export function noteOnStrays(
  [label, probabilities]: readonly string[],
  { strays, answers, classes = [] }: Pick<WarmUp, 'strays' | 'answers' | 'classes'>,
): readonly string[] {
  if (strays === 0) return [];
  const note =
    `the label ${label} is none of the classes ${listOf(classes)} in ${strays} of ${strays + answers.length} tried rows: ` +
    'list the values of the label in output.classes of metadata.json' +
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
