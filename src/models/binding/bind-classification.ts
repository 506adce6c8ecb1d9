import { RefusedError } from '../../errors.js';
import { listOwnOutputs } from '../../inference/analysis/graph-passing.js';
import { countsColumns, findPlaceLabels } from '../../inference/analysis/graph-places.js';
import { findOrigin, holdsSeveralLabels } from '../../inference/analysis/output-origin.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { isFloatType, isIntegerType, type Tensor, type Tensors } from '../../inference/tensors/tensor.js';
import {
  createClassificationDecoder,
  type LabelOutput,
  type ProbabilitiesOutput,
} from '../features/decode.js';
import type { Manifest } from '../manifest/manifest.js';
import type { Scalar } from '../tasks/task.js';
import { describeOutputs, isFloat, onlyOf, requireOutput, typeOf } from './graph-outputs.js';
import { createColumnCounter, type OutputBinding } from './output-binding.js';
import { ColumnsError, severalLabelsIn } from './several-columns.js';

/** The most outputs whose origin is analysed. With more candidates, the manifest must name one. */
const maxExamined = 64;

/** Binds label and probabilities: the named outputs, else those that fit by type and shape. Throws `RefusedError`. */
export function bindClassification(manifest: Manifest, graph: ModelGraph): OutputBinding {
  const output = manifest.output ?? {};
  const named = output.label !== undefined || output.probabilities !== undefined;
  const label = named ? output.label : findLabel(graph);
  const probabilities = named
    ? output.probabilities
    : findProbabilities(graph, label, output.classes?.length);
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
  const zipMap = probabilities === undefined ? undefined : graph.zipMaps?.get(probabilities);
  // If the engine returns positions of the classes, the manifest still lists the classes themselves.
  const places = label === undefined ? undefined : findPlaceLabels(graph, label, zipMap?.classes);
  const isPlace = label !== undefined && holdsPlaces(graph, label);
  const labelIs = output.labelIs ?? (places !== undefined || isPlace ? 'position' : undefined);
  const countLabels = createColumnCounter(label ?? '');
  const countProbabilities = createColumnCounter(probabilities ?? '');
  if (zipMap !== undefined) checkNames(zipMap.classes, output.classes);
  return {
    fetches,
    hasProbabilities: probabilities !== undefined,
    complete(outputs, rows) {
      const bound =
        probabilities === undefined
          ? undefined
          : bindProbabilities(outputs, countProbabilities(outputs, rows), probabilities, output);
      if (bound !== undefined && holdsSeveralLabels(graph, bound.name, bound.columns))
        throw severalLabelsIn(bound.name, bound.columns);
      const named = zipMap?.classes.length ? zipMap.classes : undefined;
      if (bound !== undefined && named !== undefined && named.length !== bound.columns) {
        throw new RefusedError(
          `the graph's ZipMap has names for ${named.length} class${named.length === 1 ? '' : 'es'}, and its input ${bound.name} has ${bound.columns} columns a row: export the model again, without ZipMap`,
        );
      }
      const classes =
        output.classes ??
        named ??
        places ??
        (bound && Array.from({ length: Math.max(2, bound.columns) }, (_, k) => k));
      if (bound !== undefined && classes?.length !== Math.max(2, bound.columns)) {
        throw new ColumnsError(
          bound.name,
          bound.columns,
          `the output ${probabilities} has ${bound.columns} column${bound.columns === 1 ? '' : 's'} a row, and there ${classes?.length === 1 ? 'is 1 class' : `are ${classes?.length} classes`}`,
        );
      }
      if (output.threshold !== undefined && classes?.length !== 2)
        throw new RefusedError('/output/threshold needs two classes');
      const boundLabel =
        label === undefined
          ? undefined
          : bindLabel(outputs, countLabels(outputs, rows), label, classes, labelIs);
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

/** Whether a label is the number of a column, whatever the names of the classes are. */
function holdsPlaces(graph: ModelGraph, label: string): boolean {
  const output = graph.outputs.find(({ name }) => name === label);
  const type = output && typeOf(output);
  return type !== undefined && isIntegerType(type) && countsColumns(graph, label);
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
  if (columns !== 1) throw severalLabelsIn(name, columns);
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
      `the label ${name} is a tensor of ${type} and the classes are ${kind}s: list the label's values in output.classes`,
    );
  }
  return { name, type, labelIs: meaning };
}

/** Throws if the manifest lists a ZipMap's names in another order, or lists no classes and the names are unusable. */
function checkNames(names: readonly Scalar[], classes: readonly Scalar[] | undefined): void {
  const isSound =
    new Set(names).size === names.length &&
    names.every((it) => typeof it === 'string' || Number.isSafeInteger(it));
  if (!isSound && classes === undefined) {
    throw new RefusedError(
      "the names of the graph's ZipMap are not distinct, or are integers beyond ±(2^53 − 1): list them in output.classes, in the order of the columns",
    );
  }
  const known = new Set(names);
  const isShuffled = classes?.every((it) => known.has(it)) && classes.some((it, k) => it !== names[k]);
  if (!isShuffled || classes?.length !== names.length) return;
  throw new RefusedError(
    `output.classes are those of the graph's ZipMap in another order; its columns are ${names.slice(0, 20).join(', ')}`,
  );
}

function findLabel(graph: ModelGraph): string | undefined {
  const candidates = listOwnOutputs(graph).filter((output) => {
    const type = typeOf(output);
    const last = output.shape?.[1];
    const isOneColumn = (output.shape?.length ?? 1) <= 2 && (typeof last !== 'number' || last === 1);
    return type !== undefined && !isFloatType(type) && isOneColumn;
  });
  return candidates.length === 0 ? undefined : onlyOf(candidates, 'label', graph);
}

function findProbabilities(
  graph: ModelGraph,
  label: string | undefined,
  classes: number | undefined,
): string | undefined {
  const candidates = listOwnOutputs(graph).filter((output) => {
    const { shape } = output;
    if (!isFloat(typeOf(output)) || (shape?.length ?? 1) > 2) return false;
    const columns = shape?.length === 1 ? 1 : shape?.[1];
    if (typeof columns !== 'number') return true;
    return columns === 1 ? (classes ?? 2) === 2 : columns === (classes ?? columns);
  });
  // Beside a label, the raw scores of a model without probabilities, such as an SVM, are not probabilities.
  const isScored = label !== undefined && candidates.length <= maxExamined;
  const found = isScored
    ? candidates.filter(({ name }) => findOrigin(graph, name).is !== 'scores')
    : candidates;
  return found.length === 0 ? undefined : onlyOf(found, 'probabilities', graph);
}
