import type { GraphValue, ModelGraph } from '../../inference/graph.js';
import { type ElementType, elementTypes, isFloatType, isIntegerType } from '../../inference/tensor.js';
import { RefusedError } from '../manifest.js';

export const zipMapAdvice =
  'the probabilities come only as a sequence of maps (ZipMap), which cannot be served: ' +
  "export with options={id(model): {'zipmap': False}} (skl2onnx) or zipmap=False (onnxmltools), or name output.label for labels alone";

/** The only one of the candidates. Throws `RefusedError` that names them, and the key that would decide. */
export function onlyOf(candidates: readonly GraphValue[], key: string, graph: ModelGraph): string {
  const [first, second] = candidates;
  if (first !== undefined && second === undefined) return first.name;
  const found = first === undefined ? 'none of' : 'several of';
  const list = first === undefined ? describeOutputs(graph) : listed(candidates.map((it) => it.name));
  throw new RefusedError(
    `${found} the graph's outputs can be the ${key}: ${list}; name one in output.${key}`,
  );
}

/** Throws `RefusedError` unless the graph has this output and its type fits. */
export function requireOutput(
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

/** The outputs of a graph in a message, with types and shapes. */
export function describeOutputs(graph: ModelGraph): string {
  return listed(
    graph.outputs.map(
      (it) =>
        `${it.name} (${it.kind === 'tensor' ? it.elementType : it.kind}${it.shape ? ` [${it.shape.map((dim) => dim ?? '?').join(', ')}]` : ''})`,
    ),
  );
}

const mostListed = 20;

/** The first of some names or more, and how many others there are. */
export function listed(texts: readonly string[]): string {
  const rest = texts.length - mostListed;
  return [...texts.slice(0, mostListed), ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}

/** The element type of a tensor; undefined for whatever is none. */
export function typeOf(output: GraphValue): ElementType | undefined {
  return output.kind === 'tensor' ? elementTypes.find((type) => type === output.elementType) : undefined;
}

export function isFloat(type: ElementType | undefined): boolean {
  return type !== undefined && isFloatType(type);
}

export function isNumeric(type: ElementType | undefined): boolean {
  return type !== undefined && (isFloatType(type) || isIntegerType(type));
}
