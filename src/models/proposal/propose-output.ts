import { RefusedError } from '../../errors.js';
import { type Classes, findClasses, findMadeClasses } from '../../inference/analysis/class-labels.js';
import { findPassedOn } from '../../inference/analysis/graph-passing.js';
import { holdsSeveralLabels } from '../../inference/analysis/output-origin.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { columnNames, severalLabels } from '../binding/several-columns.js';
import type { ManifestFile } from '../manifest/manifest.js';
import { chooseLabel, chooseProbabilities, chooseValue, type WantedOutputs } from './choose-output.js';
import {
  examineOutputs,
  isLogits,
  isProbabilities,
  isSeveralLabels,
  type OutputEvidence,
} from './propose-task.js';

type Output = NonNullable<ManifestFile['output']>;

export interface OutputProposal {
  readonly output: Output;
  /** Guesses, and outputs that are left out, one sentence each. */
  readonly notes: readonly string[];
}

/** What the user has said about the outputs. */
export interface OutputWishes extends WantedOutputs {
  readonly classes?: readonly (string | number | boolean)[] | undefined;
  readonly names?: readonly string[] | undefined;
  /** Whether the user has named all of label and probabilities, so that a missing one is left out. */
  readonly isComplete?: boolean;
  /** Whether the user has named the activation that turns scores into probabilities. */
  readonly hasActivation?: boolean;
}

/** Names the value of a regression and its columns. */
export function proposeRegression(graph: ModelGraph, { value: wanted, names }: OutputWishes): OutputProposal {
  const { output: value, note } = chooseValue(examineOutputs(graph, wanted), wanted);
  if (value === undefined)
    throw new RefusedError('the graph has no numeric output that a regression could give');
  const notes = [note, passedOnNote(graph)].filter((it) => it !== undefined);
  const { columns } = value;
  const { name } = value.value;
  if (names !== undefined) return { output: { value: name, names: [...names] }, notes };
  if (columns === undefined || columns < 2) return { output: { value: name }, notes };
  const proposed = columnNames(name, columns);
  notes.push(
    `the ${columns} columns of ${name} are called ${proposed[0]} to ${proposed.at(-1)}; name them with --names`,
  );
  return { output: { value: name, names: proposed }, notes };
}

/** Names the label, the probabilities and the classes, and the activation if the graph ends in logits. */
export function proposeClassification(
  graph: ModelGraph,
  model: Uint8Array,
  wishes: OutputWishes,
): OutputProposal {
  const outputs = examineOutputs(graph, wishes.label, wishes.probabilities);
  const { classes: wanted, isComplete = false } = wishes;
  const labels =
    isComplete && wishes.label === undefined ? { output: undefined } : chooseLabel(outputs, wishes.label);
  const label = labels.output;
  const found =
    isComplete && wishes.probabilities === undefined
      ? { output: undefined }
      : chooseProbabilities(outputs, label !== undefined, wishes.probabilities);
  const probabilities = found.output;
  refuseSeveralLabels(graph, outputs, label, probabilities);
  if (wishes.hasActivation !== true) refuseScores(label, probabilities);
  const activation = probabilities && activationOf(probabilities);
  const notes = [
    ...[labels, found].map((it) => 'note' in it && it.note),
    passedOnNote(graph),
    activation && `${probabilities?.value.name} holds logits, so the activation is ${activation}`,
  ].filter((it) => typeof it === 'string');
  const named = nameClasses(graph, model, label, probabilities, wanted);
  const output = {
    ...(label !== undefined && !named.isLabelOut && { label: label.value.name }),
    ...(probabilities !== undefined && { probabilities: probabilities.value.name }),
    ...(named.classes !== undefined && { classes: [...named.classes] as string[] }),
    ...(named.labelIs && !named.isLabelOut && { labelIs: named.labelIs }),
    ...(activation !== undefined && { activation }),
  };
  return { output, notes: [...notes, ...named.notes] };
}

function nameClasses(
  graph: ModelGraph,
  model: Uint8Array,
  label: OutputEvidence | undefined,
  probabilities: OutputEvidence | undefined,
  wanted: OutputWishes['classes'],
) {
  const notes: string[] = [];
  const prime = [probabilities, label].flatMap((it) => it?.value.name ?? []);
  const found = findClasses(graph, model, prime, probabilities?.columns);
  const classes = wanted ?? found ?? defaultClasses(label, probabilities);
  const isRenamed = wanted !== undefined && found !== undefined && isLabelRenamed(label, found, wanted);
  if (wanted !== undefined && found !== undefined) checkOrder(wanted, found);
  if (isRenamed && probabilities === undefined) {
    throw new RefusedError(`the label holds ${found.slice(0, 5).join(', ')}, which --classes cannot rename`);
  }
  if (isRenamed)
    notes.push(
      `the label is left out, because it holds ${found.slice(0, 5).join(', ')}: the prediction is the most probable class`,
    );
  else if (wanted === undefined && found === undefined && classes !== undefined) {
    notes.push('the graph does not name its classes, so they are numbers; name them with --classes');
  }
  if (wanted !== undefined || found === undefined || label === undefined || isRenamed)
    return { classes, isLabelOut: isRenamed, notes };
  // A ZipMap may have other class names than the classifier that makes the label.
  const own = findMadeClasses(graph, model, label.value.name);
  if (own === undefined || own.every((it) => (found as readonly unknown[]).includes(it)))
    return { classes, isLabelOut: false, notes };
  const isPosition = label.kind === 'integer' && own.every((it, k) => it === k);
  if (isPosition) return { classes, isLabelOut: false, notes, labelIs: 'position' as const };
  if (probabilities !== undefined)
    notes.push(
      `the label is left out, because it holds ${own.slice(0, 5).join(', ')}, which are no classes of the ZipMap: the prediction is the most probable class`,
    );
  return { classes, isLabelOut: probabilities !== undefined, notes };
}

/** Throws `RefusedError` if the user names scores as probabilities: the graph does not show the activation for them. */
function refuseScores(label: OutputEvidence | undefined, probabilities: OutputEvidence | undefined): void {
  if (probabilities?.origin.is !== 'scores') return;
  const made =
    probabilities.origin.node === undefined ? '' : ` (made by ${probabilities.origin.node.opType})`;
  const alone =
    label === undefined ? '' : ` leave --probabilities out to serve the label ${label.value.name} alone;`;
  throw new RefusedError(
    `${probabilities.value.name} holds scores${made}, not probabilities:${alone} export the model with probabilities; ` +
      `or name the activation that turns the scores into probabilities: --manifest FILE with {"output":{"activation":"sigmoid"}} or "softmax"`,
  );
}

/** Throws `RefusedError` if the graph gives several labels per row, since a classification gives one class. */
function refuseSeveralLabels(
  graph: ModelGraph,
  outputs: readonly OutputEvidence[],
  label: OutputEvidence | undefined,
  probabilities: OutputEvidence | undefined,
): void {
  const { value, columns = 1 } = probabilities ?? label ?? {};
  if (value === undefined) return;
  const isIndependent = probabilities !== undefined && holdsSeveralLabels(graph, value.name, columns);
  const labels = label === undefined ? outputs.find(isSeveralLabels) : undefined;
  if (isIndependent) throw severalLabels(value.name, columns);
  if (labels !== undefined) throw severalLabels(labels.value.name, labels.columns ?? 2);
}

/** A sentence about the outputs that repeat inputs. */
function passedOnNote(graph: ModelGraph): string | undefined {
  const passed = [...findPassedOn(graph)];
  if (passed.length === 0) return undefined;
  const [what, repeat] = passed.length === 1 ? ['output', 'repeats an input'] : ['outputs', 'repeat inputs'];
  return `the ${what} ${passed.slice(0, 10).join(', ')}${passed.length > 10 ? ', …' : ''} only ${repeat}, so ${passed.length === 1 ? 'it is' : 'they are'} not proposed as prediction`;
}

function activationOf(it: OutputEvidence): 'softmax' | 'sigmoid' | undefined {
  const isLinear = it.origin.is === 'linear' || it.origin.is === 'regression';
  if (isProbabilities(it) || !(isLogits(it) || isLinear)) return undefined;
  return it.columns === 1 ? 'sigmoid' : 'softmax';
}

function defaultClasses(
  label: OutputEvidence | undefined,
  probabilities: OutputEvidence | undefined,
): Classes | undefined {
  if (probabilities?.columns === undefined) return undefined;
  if (label?.kind === 'text') {
    throw new RefusedError(
      `the label ${label.value.name} holds texts that the graph does not list: give them with --classes, in the order of the columns`,
    );
  }
  return Array.from({ length: Math.max(2, probabilities.columns) }, (_, k) => k);
}

/** Throws `RefusedError` if the wanted classes differ in number, or are the graph's own classes in another order. */
function checkOrder(wanted: readonly unknown[], found: Classes): void {
  const known = new Set<unknown>(found);
  const isShuffled = wanted.every((it) => known.has(it)) && wanted.some((it, k) => it !== found[k]);
  if (wanted.length === found.length && !isShuffled) return;
  throw new RefusedError(
    `--classes differs from the graph, which has ${found.length} classes in this order: ${found.slice(0, 20).join(', ')}`,
  );
}

/** Whether the values of the label are no positions, so that they cannot be mapped to the wanted classes. */
function isLabelRenamed(
  label: OutputEvidence | undefined,
  found: Classes,
  wanted: readonly unknown[],
): boolean {
  if (label === undefined || wanted.every((value, k) => value === found[k])) return false;
  if (label.kind === 'text') return true;
  return typeof wanted[0] === 'number' || found.some((value, k) => value !== k);
}
