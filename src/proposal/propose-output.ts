import type { ModelGraph } from '../inference/graph.js';
import { type ManifestFile, RefusedError } from '../models/manifest.js';
import { type Classes, findClasses } from './graph-classes.js';
import { examineOutputs, isLabel, isLogits, isProbabilities, type OutputEvidence } from './propose-task.js';

type Output = NonNullable<ManifestFile['output']>;

export interface OutputProposal {
  readonly output: Output;
  /** What was guessed or left out, a sentence each. */
  readonly remarks: readonly string[];
}

/** Names the value of a regression, and its columns where there are several. */
export function proposeRegression(graph: ModelGraph): OutputProposal {
  const numeric = examineOutputs(graph).filter((it) => it.kind === 'float' || it.kind === 'integer');
  const value =
    numeric.find((it) => it.origin.is === 'regression') ??
    numeric.find((it) => /^variable$/i.test(it.value.name)) ??
    numeric[0];
  if (value === undefined)
    throw new RefusedError('the graph has no numeric output that a regression could give');
  const remarks = numeric.filter((it) => it !== value).map((it) => `the output ${it.value.name} is left out`);
  const { columns } = value;
  if (columns === undefined || columns === 1) return { output: { value: value.value.name }, remarks };
  const names = Array.from({ length: columns }, (_, k) => `${value.value.name}${k}`);
  remarks.push(
    `the ${columns} columns of ${value.value.name} are called ${names[0]} to ${names.at(-1)}; say better in output.names (--manifest)`,
  );
  return { output: { value: value.value.name, names }, remarks };
}

/** Names the label, the probabilities and the classes, with the activation where the graph ends in logits. */
export function proposeClassification(
  graph: ModelGraph,
  model: Uint8Array,
  wanted: readonly (string | number | boolean)[] | undefined,
): OutputProposal {
  const outputs = examineOutputs(graph);
  const remarks: string[] = [];
  const texts = outputs.filter((it) => it.kind === 'text' || it.kind === 'bool');
  const label = outputs.find(isLabel) ?? (texts.length === 1 ? texts[0] : undefined);
  const probabilities = findProbabilities(outputs, label !== undefined);
  const activation = probabilities && activationOf(probabilities);
  for (const it of outputs) {
    if (it.kind === 'float' && it !== probabilities) {
      remarks.push(`the output ${it.value.name} is left out: nothing says that it holds probabilities`);
    }
  }
  if (activation !== undefined)
    remarks.push(`${probabilities?.value.name} holds logits, so the activation is ${activation}`);
  const prime = [label, probabilities].flatMap((it) => it?.value.name ?? []);
  const found = findClasses(graph, model, prime, probabilities?.columns);
  const classes = wanted ?? found ?? defaultClasses(label, probabilities);
  // Without a name for the label, the load refuses what only a ZipMap gives, and says how to export it.
  const isZipMapOnly = probabilities === undefined && outputs.some((it) => it.value.element?.kind === 'map');
  const isRenamed = wanted !== undefined && found !== undefined && isLabelRenamed(label, found, wanted);
  if (wanted !== undefined && found !== undefined) checkOrder(wanted, found);
  if (isRenamed && probabilities === undefined && !isZipMapOnly) {
    throw new RefusedError(`the label holds ${found.slice(0, 5).join(', ')}, which --classes cannot rename`);
  }
  if (isRenamed)
    remarks.push(
      `the label holds ${found.slice(0, 5).join(', ')} and is left out: the prediction is the likeliest class`,
    );
  else if (wanted === undefined && found === undefined && classes !== undefined) {
    remarks.push('the graph does not name its classes, so they are numbers; name them with --classes');
  }
  const output = {
    ...(label !== undefined && !isRenamed && !isZipMapOnly && { label: label.value.name }),
    ...(probabilities !== undefined && { probabilities: probabilities.value.name }),
    ...(classes !== undefined && { classes: [...classes] as string[] }),
    ...(activation !== undefined && { activation }),
  };
  return { output, remarks };
}

function findProbabilities(
  outputs: readonly OutputEvidence[],
  hasLabel: boolean,
): OutputEvidence | undefined {
  const floats = outputs.filter((it) => it.kind === 'float' && (it.value.shape?.length ?? 1) <= 2);
  const found = floats.find(isProbabilities) ?? floats.find(isLogits);
  // Whoever calls it a classification without a label means the one float output.
  return found ?? (!hasLabel && floats.length === 1 ? floats[0] : undefined);
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

/** The columns are in the graph's own order: other names may stand for its classes, and not the same ones shuffled. */
function checkOrder(wanted: readonly unknown[], found: Classes): void {
  const known = new Set<unknown>(found);
  const isShuffled = wanted.every((it) => known.has(it)) && wanted.some((it, k) => it !== found[k]);
  if (wanted.length === found.length && !isShuffled) return;
  throw new RefusedError(
    `the graph has ${found.length} classes, in this order: ${found.slice(0, 20).join(', ')}; --classes says otherwise`,
  );
}

/** Whether an integer label holds classes of its own, so that other names cannot stand for its positions. */
function isLabelRenamed(
  label: OutputEvidence | undefined,
  found: Classes,
  wanted: readonly unknown[],
): boolean {
  if (label === undefined || wanted.every((value, k) => value === found[k])) return false;
  if (label.kind === 'text') return true;
  return typeof wanted[0] === 'number' || found.some((value, k) => value !== k);
}
