import {
  createClassificationDecoder,
  createRegressionDecoder,
  type Decode,
  type LabelOutput,
  type ProbabilitiesOutput,
  type Scalar,
} from '../inference/decode.js';
import type { GraphValue, ModelGraph } from '../inference/graph.js';
import {
  type ElementType,
  elementTypes,
  isFloatType,
  isIntegerType,
  type Tensor,
  type Tensors,
} from '../inference/tensor.js';
import { type Manifest, RefusedError } from './manifest.js';

/** Which outputs a version's answers come from, and how. */
export interface OutputBinding {
  readonly fetches: readonly string[];
  readonly hasProbabilities: boolean;
  /** Completes the binding from the outputs of a real run of `rows` rows: what a graph declares may be wrong. */
  complete(outputs: Tensors, rows: number): { readonly decode: Decode; readonly classes?: readonly Scalar[] };
}

const zipMapAdvice =
  'the probabilities come only as a sequence of maps (ZipMap), which cannot be served: ' +
  "export with options={id(model): {'zipmap': False}} (skl2onnx) or zipmap=False (onnxmltools), or name output.label for labels alone";

/** Binds the outputs of a graph as a manifest says, or by type and shape. Throws `RefusedError`. */
export function bindOutputs(manifest: Manifest, graph: ModelGraph): OutputBinding {
  return manifest.task === 'regression'
    ? bindRegression(manifest, graph)
    : bindClassification(manifest, graph);
}

function bindRegression(manifest: Manifest, graph: ModelGraph): OutputBinding {
  const { value, names } = manifest.output ?? {};
  const numeric = graph.outputs.filter((output) => isNumeric(typeOf(output)));
  const name = value ?? onlyOf(numeric, 'value', graph);
  requireOutput(graph, name, isNumeric, 'a numeric tensor');
  return {
    fetches: [name],
    hasProbabilities: false,
    complete(outputs, rows) {
      const columns = columnsOf(outputs[name], rows, name);
      if (columns !== (names?.length ?? 1)) {
        const advice = names ? `${names.length} names` : '"output": {"names": [...]} is needed';
        throw new RefusedError(`the output ${name} has ${columns} columns a row: ${advice}`);
      }
      return { decode: createRegressionDecoder(name, columns, names) };
    },
  };
}

function bindClassification(manifest: Manifest, graph: ModelGraph): OutputBinding {
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
  return {
    fetches,
    hasProbabilities: probabilities !== undefined,
    complete(outputs, rows) {
      const bound =
        probabilities === undefined ? undefined : bindProbabilities(outputs, rows, probabilities, output);
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
        label === undefined ? undefined : bindLabel(outputs, rows, label, classes, output.labelIs);
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
  rows: number,
  name: string,
  { activation }: NonNullable<Manifest['output']>,
): ProbabilitiesOutput {
  const columns = columnsOf(outputs[name], rows, name);
  if (activation === 'sigmoid' && columns !== 1)
    throw new RefusedError(`sigmoid needs one column, ${name} has ${columns}`);
  if (activation === 'softmax' && columns < 2)
    throw new RefusedError(`softmax needs two columns or more, ${name} has one`);
  return { name, type: (outputs[name] as Tensor).type, columns, activation };
}

function bindLabel(
  outputs: Tensors,
  rows: number,
  name: string,
  classes: readonly Scalar[] | undefined,
  labelIs: 'position' | 'class' | undefined,
): LabelOutput {
  const columns = columnsOf(outputs[name], rows, name);
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

/** Elements a row of an output, from a run of `rows` rows. */
function columnsOf(tensor: Tensor | undefined, rows: number, name: string): number {
  const columns = (tensor?.data.length ?? 0) / rows;
  if (Number.isInteger(columns) && columns >= 1) return columns;
  throw new RefusedError(
    `the output ${name} has dims [${tensor?.dims.join(', ')}] for ${rows} rows: not the same number of elements for each`,
  );
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

function onlyOf(candidates: readonly GraphValue[], key: string, graph: ModelGraph): string {
  const [first, second] = candidates;
  if (first !== undefined && second === undefined) return first.name;
  const found = first === undefined ? 'none of' : 'several of';
  const list = first === undefined ? describeOutputs(graph) : candidates.map((it) => it.name).join(', ');
  throw new RefusedError(
    `${found} the graph's outputs can be the ${key}: ${list}; name one in output.${key}`,
  );
}

function requireOutput(
  graph: ModelGraph,
  name: string,
  fits: (type: ElementType | undefined) => boolean,
  wanted: string,
): void {
  const output = graph.outputs.find((it) => it.name === name);
  if (output === undefined)
    throw new RefusedError(`/output names ${name}, but the graph has ${describeOutputs(graph)}`);
  if (output.kind === 'sequence' || output.kind === 'map') throw new RefusedError(`${name}: ${zipMapAdvice}`);
  if (!fits(typeOf(output)))
    throw new RefusedError(`the output ${name} is not ${wanted}: ${describeOutputs(graph)}`);
}

function describeOutputs(graph: ModelGraph): string {
  return graph.outputs
    .map(
      (it) =>
        `${it.name} (${it.kind === 'tensor' ? it.elementType : it.kind}${it.shape ? ` [${it.shape.map((dim) => dim ?? '?').join(', ')}]` : ''})`,
    )
    .join(', ');
}

function typeOf(output: GraphValue): ElementType | undefined {
  return output.kind === 'tensor' ? elementTypes.find((type) => type === output.elementType) : undefined;
}

function isFloat(type: ElementType | undefined): boolean {
  return type !== undefined && isFloatType(type);
}

function isNumeric(type: ElementType | undefined): boolean {
  return type !== undefined && (isFloatType(type) || isIntegerType(type));
}
