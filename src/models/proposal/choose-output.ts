import { RefusedError } from '../../errors.js';
import { hasLabelName, isLabel, isLogits, isProbabilities, type OutputEvidence } from './propose-task.js';

/** The outputs that the user names. They decide if several outputs of the graph are possible. */
export interface WantedOutputs {
  readonly label?: string;
  readonly probabilities?: string;
  readonly value?: string;
}

type Role = keyof WantedOutputs;

export interface Choice {
  readonly output: OutputEvidence | undefined;
  /** The reason of a choice that is not certain. */
  readonly note?: string;
}

const flat = (it: OutputEvidence): boolean => (it.value.shape?.length ?? 1) <= 2;

/** The label: an output that an operator makes as label, else one with such a name, else the only text or boolean. */
export function chooseLabel(outputs: readonly OutputEvidence[], wanted?: string): Choice {
  const labels = outputs.filter((it) => flat(it) && isLabel(it));
  const others = outputs.filter((it) => flat(it) && (it.kind === 'text' || it.kind === 'bool'));
  return choose('label', outputs, wanted, hasLabelName, [
    labels.filter((it) => it.origin.is === 'label'),
    labels,
    // If there are several texts or booleans without any evidence, no label is proposed, and nothing is refused.
    others.length === 1 ? others : [],
  ]);
}

/** The probabilities: an output that an operator makes as such, else one with such a name, else logits. */
export function chooseProbabilities(
  outputs: readonly OutputEvidence[],
  hasLabel: boolean,
  wanted?: string,
): Choice {
  const floats = outputs.filter((it) => flat(it) && it.kind === 'float');
  const probabilities = floats.filter(isProbabilities);
  return choose('probabilities', outputs, wanted, ({ value }) => /prob/i.test(value.name), [
    probabilities.filter((it) => it.origin.is !== 'unknown'),
    probabilities,
    floats.filter(isLogits),
    // In a classification without a label, the only float output must be the probabilities.
    !hasLabel && floats.length === 1 ? floats : [],
  ]);
}

/** The value of a regression: an output of a regressor, else the one named `variable`, else the only number. */
export function chooseValue(outputs: readonly OutputEvidence[], wanted?: string): Choice {
  const numeric = outputs.filter((it) => it.kind === 'float' || it.kind === 'integer');
  const isVariable = ({ value }: OutputEvidence) => /^variable$/i.test(value.name);
  // ML.NET names it Score, beside outputs with prepared columns.
  const isNamed = ({ value }: OutputEvidence) => /^variable$|score|predict/i.test(value.name);
  return choose('value', outputs, wanted, isNamed, [
    numeric.filter((it) => it.origin.is === 'regression'),
    numeric.filter(isVariable),
    numeric,
  ]);
}

/** Chooses from the first group that is not empty. Of several outputs the name decides, or the user must. */
function choose(
  role: Role,
  outputs: readonly OutputEvidence[],
  wanted: string | undefined,
  isNamed: (it: OutputEvidence) => boolean,
  groups: readonly (readonly OutputEvidence[])[],
): Choice {
  if (wanted !== undefined) {
    const found = outputs.find((it) => it.value.name === wanted);
    // The user may name an output that repeats an input; the load checks it.
    return { output: found ?? unknownOutput(wanted) };
  }
  const group = groups.find((it) => it.length > 0) ?? [];
  if (group.length < 2) return { output: group[0] };
  const named = group.filter(isNamed);
  if (named.length === 1) {
    const name = named[0]?.value.name;
    const rest = group.filter((it) => it !== named[0]).map((it) => it.value.name);
    return {
      output: named[0],
      note: `${name} is taken as the ${role} because of its name, although ${rest.join(', ')} is possible too: --${role} NAME chooses another output`,
    };
  }
  throw new RefusedError(
    `several outputs can be the ${role}: ${group.map(describe).join(', ')}; choose one with --${role} NAME, or serve them all with --task tensor`,
  );
}

function describe({ value, origin }: OutputEvidence): string {
  return origin.node === undefined ? value.name : `${value.name} (made by ${origin.node.opType})`;
}

function unknownOutput(name: string): OutputEvidence {
  return { value: { name, kind: 'unknown' }, origin: { is: 'unknown' }, columns: undefined, kind: 'other' };
}
