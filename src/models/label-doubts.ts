import type { WarmUp } from './loading/warm-up.js';
import type { Manifest } from './manifest.js';
import type { AnswerValue } from './task.js';

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

/** What to do where tried rows have a label that is none of the classes: their clients get an error. */
export function noteOnStrays(
  [label, probabilities]: readonly string[],
  { strays, answers }: Pick<WarmUp, 'strays' | 'answers'>,
): readonly string[] {
  if (strays === 0) return [];
  const rows = strays + answers.length;
  const note =
    `the label ${label} is none of the classes in ${strays} of ${rows} tried rows, which get an error: ` +
    'list in output.classes of metadata.json what the label holds';
  return probabilities === undefined
    ? [note]
    : [
        `${note}, in the order of the columns of ${probabilities}; if ${probabilities} holds no probabilities, name only "label": ${JSON.stringify(label)}`,
      ];
}
