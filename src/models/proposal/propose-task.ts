import { listOwnOutputs } from '../../inference/analysis/graph-passing.js';
import { findOrigin, type Origin } from '../../inference/analysis/output-origin.js';
import type { GraphValue, ModelGraph } from '../../inference/onnx/read-graph.js';
import type { ManifestFile } from '../manifest/manifest.js';

export type TaskName = ManifestFile['task'];

/** A guessed task, and the reason as text. */
export interface TaskGuess {
  readonly task: TaskName;
  readonly why: string;
}

export interface OutputEvidence {
  readonly value: GraphValue;
  readonly origin: Origin;
  /** Elements per row, if declared. */
  readonly columns: number | undefined;
  readonly kind: 'float' | 'integer' | 'text' | 'bool' | 'other';
}

/** Wider matrices without names are images or embeddings more often than features. */
const maxUnnamedWidth = 256;

/** Each output that can be a prediction or that the user names, with the operator that made it. */
export function examineOutputs(
  graph: ModelGraph,
  ...named: readonly (string | undefined)[]
): readonly OutputEvidence[] {
  const own = new Set(listOwnOutputs(graph));
  const examined = graph.outputs.filter((value) => own.has(value) || named.includes(value.name));
  return examined.map((value) => ({
    value,
    origin: findOrigin(graph, value.name),
    columns: columnsOf(value),
    kind: kindOf(value),
  }));
}

/** Guesses the task from the operators and from the types, shapes and names of inputs and outputs. */
export function guessTask(graph: ModelGraph, hasFeatureNames: boolean): TaskGuess {
  const outputs = examineOutputs(graph);
  const guess = guessByOutputs(outputs);
  const misfit = graph.inputs
    .map((input) => findMisfit(input, hasFeatureNames))
    .find((why) => why !== undefined);
  // Operators for tables are stronger evidence than an open shape of an input.
  const isTable = [...graph.opTypes].some((type) => type.startsWith('ai.onnx.ml:'));
  if (misfit !== undefined && !(isTable && misfit.isOpen)) return { task: 'tensor', why: misfit.why };
  return guess;
}

function guessByOutputs(outputs: readonly OutputEvidence[]): TaskGuess {
  const flat = outputs.filter((it) => (it.value.shape?.length ?? 1) <= 2 && it.kind !== 'other');
  const maps = outputs.find((it) => it.value.element?.kind === 'map');
  const label = flat.find(isLabel);
  if (label !== undefined) return { task: 'classification', why: describe(label, 'a label') };
  if (maps !== undefined) {
    return { task: 'classification', why: `${maps.value.name} holds maps by class (ZipMap)` };
  }
  const probabilities = flat.find(isProbabilities);
  if (probabilities !== undefined)
    return { task: 'classification', why: describe(probabilities, 'probabilities') };
  const logits = flat.find(isLogits);
  if (logits !== undefined) return { task: 'classification', why: describe(logits, 'logits') };
  const numeric = flat.filter((it) => it.kind === 'float' || it.kind === 'integer');
  const made = numeric.filter((it) => it.origin.is === 'regression');
  if (made.length === 1 && outputs.length > 1)
    return { task: 'regression', why: describe(made[0] as OutputEvidence, 'a number') };
  const several = outputs.find(isSeveralLabels);
  if (several !== undefined) {
    const why = `${several.value.name} has ${several.columns} columns a row, so it holds several labels`;
    return { task: 'tensor', why };
  }
  const [value] = numeric;
  if (value !== undefined && numeric.length === 1 && outputs.length === 1) {
    const isNamed = value.origin.is === 'regression' || /^variable$/i.test(value.value.name);
    if (isNamed || (value.columns ?? 1) === 1)
      return { task: 'regression', why: describe(value, 'a number') };
    return {
      task: 'tensor',
      why: `nothing says what the ${value.columns} columns of ${value.value.name} are`,
    };
  }
  const [text] = flat;
  if (flat.length === 1 && text !== undefined && numeric.length === 0) {
    return { task: 'classification', why: describe(text, 'a label') };
  }
  return { task: 'tensor', why: `nothing says which of the outputs is the prediction` };
}

export function isLabel(it: OutputEvidence): boolean {
  if (it.kind === 'float' || it.kind === 'other' || (it.columns ?? 1) !== 1) return false;
  return it.origin.is === 'label' || hasLabelName(it);
}

/** Whether the output is a label with several columns: a multi-output or a multi-label model. */
export function isSeveralLabels(it: OutputEvidence): boolean {
  if (it.kind === 'float' || it.kind === 'other' || (it.columns ?? 1) < 2) return false;
  return it.origin.is === 'label' || hasLabelName(it);
}

export function hasLabelName({ value }: OutputEvidence): boolean {
  return /label|class|cluster/i.test(value.name);
}

/** The operator that made the output decides, its name only if the operator is unknown. */
export function isProbabilities(it: OutputEvidence): boolean {
  if (it.kind !== 'float') return false;
  if (it.origin.is === 'probabilities' || it.origin.is === 'independent') return true;
  return it.origin.is === 'unknown' && /prob/i.test(it.value.name);
}

export function isLogits(it: OutputEvidence): boolean {
  return (
    it.kind === 'float' &&
    (it.origin.is === 'logProbabilities' || (it.origin.is !== 'scores' && /logit/i.test(it.value.name)))
  );
}

function describe(it: OutputEvidence, what: string): string {
  const { value, origin } = it;
  // Without evidence from an operator, the name was the evidence.
  const isByName = origin.node === undefined || (what === 'a label' && origin.is !== 'label');
  return `the output ${value.name} ${isByName ? `looks like ${what}` : `is ${what} made by ${origin.node?.opType}`}`;
}

/** Why an input cannot be a table of features. `isOpen`: only its width or its shape is unknown. */
function findMisfit(
  { name, shape }: GraphValue,
  hasFeatureNames: boolean,
): { why: string; isOpen: boolean } | undefined {
  if (shape === undefined)
    return hasFeatureNames ? undefined : { why: `the shape of the input ${name} is unknown`, isOpen: true };
  if (shape.length === 0) return { why: `the input ${name} is a single value without rows`, isOpen: false };
  if (shape.length > 2) return { why: `the input ${name} has ${shape.length} dimensions`, isOpen: false };
  const width = shape.length === 1 ? 1 : shape[1];
  if (hasFeatureNames) return undefined;
  if (typeof width !== 'number') return { why: `the width of the input ${name} is not fixed`, isOpen: true };
  if (width > maxUnnamedWidth)
    return { why: `the input ${name} has ${width} columns and no names for them`, isOpen: true };
  return undefined;
}

function columnsOf({ shape }: GraphValue): number | undefined {
  if (shape === undefined) return undefined;
  if (shape.length <= 1) return 1;
  const last = shape[1];
  return typeof last === 'number' ? last : undefined;
}

function kindOf({ kind, elementType = '' }: GraphValue): OutputEvidence['kind'] {
  if (kind !== 'tensor') return 'other';
  if (/^float(16|32|64)$/.test(elementType)) return 'float';
  if (/^u?int(8|16|32|64)$/.test(elementType)) return 'integer';
  if (elementType === 'bool') return 'bool';
  return elementType === 'string' ? 'text' : 'other';
}
