import { RefusedError } from '../../errors.js';
import { hasLabelName, isLabel, isLogits, isProbabilities, type OutputEvidence } from './propose-task.js';

/** Which outputs the user names; each decides where the graph leaves several. */
export interface WantedOutputs {
  readonly label?: string;
  readonly probabilities?: string;
  readonly value?: string;
}

type Role = keyof WantedOutputs;

export interface Choice {
  readonly output: OutputEvidence | undefined;
  /** What the choice rests on where it is not certain. */
  readonly remark?: string;
}

const flat = (it: OutputEvidence): boolean => (it.value.shape?.length ?? 1) <= 2;

/** The label: what an operator made as one, else what is called so, else the only text or truth value. */
export function chooseLabel(outputs: readonly OutputEvidence[], wanted?: string): Choice {
  const labels = outputs.filter((it) => flat(it) && isLabel(it));
  const others = outputs.filter((it) => flat(it) && (it.kind === 'text' || it.kind === 'bool'));
  return choose('label', outputs, wanted, hasLabelName, [
    labels.filter((it) => it.origin.is === 'label'),
    labels,
    // Without a word on any of them, one of several is not a guess worth refusing for.
    others.length === 1 ? others : [],
  ]);
}

/** The probabilities: what an operator made as such, else what is called so, else logits. */
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
    // Whoever calls it a classification without a label means the one float output.
    !hasLabel && floats.length === 1 ? floats : [],
  ]);
}

/** The value of a regression: what a regressor made, else what is called `variable`, else the only number. */
export function chooseValue(outputs: readonly OutputEvidence[], wanted?: string): Choice {
  const numeric = outputs.filter((it) => it.kind === 'float' || it.kind === 'integer');
  const isVariable = ({ value }: OutputEvidence) => /^variable$/i.test(value.name);
  // ML.NET calls it Score, beside columns that it has prepared.
  const isNamed = ({ value }: OutputEvidence) => /^variable$|score|predict/i.test(value.name);
  return choose('value', outputs, wanted, isNamed, [
    numeric.filter((it) => it.origin.is === 'regression'),
    numeric.filter(isVariable),
    numeric,
  ]);
}

/** The first group that is not empty decides; where it has several, a name may, and then the user must. */
function choose(
  role: Role,
  outputs: readonly OutputEvidence[],
  wanted: string | undefined,
  isNamed: (it: OutputEvidence) => boolean,
  groups: readonly (readonly OutputEvidence[])[],
): Choice {
  if (wanted !== undefined) {
    const found = outputs.find((it) => it.value.name === wanted);
    // An input that is handed on may be meant after all: the load checks what is named.
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
      remark: `${name} is taken for the ${role} by its name; ${rest.join(', ')} could be it too: --${role} NAME says otherwise`,
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
