import {
  createClassificationDecoder,
  type LabelOutput,
  type ProbabilitiesOutput,
  type Scalar,
} from '../../inference/decode.js';
import type { ModelGraph } from '../../inference/graph.js';
import { isFloatType, type Tensor, type Tensors } from '../../inference/tensor.js';
import { type Manifest, RefusedError } from '../manifest.js';
import { describeOutputs, isFloat, onlyOf, requireOutput, typeOf, zipMapAdvice } from './graph-outputs.js';
import { createColumnCounter, type OutputBinding } from './output-binding.js';

/** Binds label and probabilities: those that are named, or those that fit by type and shape. Throws `RefusedError`. */
export function bindClassification(manifest: Manifest, graph: ModelGraph): OutputBinding {
  const output = manifest.output ?? {};
  const named = output.label !== undefined || output.probabilities !== undefined;
  const label = named ? output.label : findLabel(graph);
  const probabilities = named ? output.probabilities : findProbabilities(graph, output.classes?.length);
  const hasMaps = graph.outputs.some((it) => it.kind === 'sequence' || it.kind === 'map');
  if (!named && probabilities === undefined && hasMaps) throw new RefusedError(zipMapAdvice);
  if (label !== undefined) requireOutput(graph, label, (type) => type !== undefined, 'a tensor');
  if (probabilities !== undefined) requireOutput(graph, probabilities, isFloat, 'a tensor of floats');
  const fetches = [label, probabilities].filter((name) => name !== undefined);
  if (fetches.length === 0)
    throw new RefusedError(`no output can be a label or probabilities: ${describeOutputs(graph)}`);
  for (const key of ['threshold', 'activation'] as const) {
    if (output[key] !== undefined && probabilities === undefined)
      throw new RefusedError(`/output/${key} needs probabilities`);
  }
  if (output.labelIs !== undefined && label === undefined)
    throw new RefusedError('/output/labelIs needs a label');
  const countLabels = createColumnCounter(label ?? '');
  const countProbabilities = createColumnCounter(probabilities ?? '');
  return {
    fetches,
    hasProbabilities: probabilities !== undefined,
    complete(outputs, rows) {
      const bound =
        probabilities === undefined
          ? undefined
          : bindProbabilities(outputs, countProbabilities(outputs, rows), probabilities, output);
      const classes =
        output.classes ?? (bound && Array.from({ length: Math.max(2, bound.columns) }, (_, k) => k));
      if (bound !== undefined && classes?.length !== Math.max(2, bound.columns)) {
        throw new RefusedError(
          `the output ${probabilities} has ${bound.columns} columns a row, and there are ${classes?.length} classes`,
        );
      }
      if (output.threshold !== undefined && classes?.length !== 2)
        throw new RefusedError('/output/threshold needs two classes');
      const boundLabel =
        label === undefined
          ? undefined
          : bindLabel(outputs, countLabels(outputs, rows), label, classes, output.labelIs);
      const decode = createClassificationDecoder({
        label: boundLabel,
        probabilities: bound,
        classes,
        threshold: output.threshold,
      });
      return { decode, ...(classes !== undefined && { classes }) };
    },
  };
}

function bindProbabilities(
  outputs: Tensors,
  columns: number,
  name: string,
  { activation }: NonNullable<Manifest['output']>,
): ProbabilitiesOutput {
  if (activation === 'sigmoid' && columns !== 1)
    throw new RefusedError(`sigmoid needs one column, ${name} has ${columns}`);
  if (activation === 'softmax' && columns < 2)
    throw new RefusedError(`softmax needs two columns or more, ${name} has one`);
  return { name, type: (outputs[name] as Tensor).type, columns, activation };
}

function bindLabel(
  outputs: Tensors,
  columns: number,
  name: string,
  classes: readonly Scalar[] | undefined,
  labelIs: 'position' | 'class' | undefined,
): LabelOutput {
  if (columns !== 1) throw new RefusedError(`the label ${name} has ${columns} columns a row, not one`);
  const { type } = outputs[name] as Tensor;
  const kind = typeof classes?.[0];
  const holdsClasses =
    classes === undefined ||
    (type === 'string' && kind === 'string') ||
    (type === 'bool' && kind === 'boolean') ||
    (type !== 'string' && type !== 'bool' && kind === 'number');
  const meaning = labelIs ?? (holdsClasses ? 'class' : 'position');
  if ((type === 'string' && meaning === 'position') || (meaning === 'class' && !holdsClasses)) {
    throw new RefusedError(
      `the label ${name} is a tensor of ${type} and the classes are ${kind}s: list in output.classes what it holds`,
    );
  }
  return { name, type, labelIs: meaning };
}

function findLabel(graph: ModelGraph): string | undefined {
  const candidates = graph.outputs.filter((output) => {
    const type = typeOf(output);
    const last = output.shape?.[1];
    const isOneColumn = (output.shape?.length ?? 1) <= 2 && (typeof last !== 'number' || last === 1);
    return type !== undefined && !isFloatType(type) && isOneColumn;
  });
  return candidates.length === 0 ? undefined : onlyOf(candidates, 'label', graph);
}

function findProbabilities(graph: ModelGraph, classes: number | undefined): string | undefined {
  const candidates = graph.outputs.filter((output) => {
    const { shape } = output;
    if (!isFloat(typeOf(output)) || (shape?.length ?? 1) > 2) return false;
    const columns = shape?.length === 1 ? 1 : shape?.[1];
    if (typeof columns !== 'number') return true;
    return columns === 1 ? (classes ?? 2) === 2 : columns === (classes ?? columns);
  });
  return candidates.length === 0 ? undefined : onlyOf(candidates, 'probabilities', graph);
}
