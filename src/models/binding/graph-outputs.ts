import { RefusedError } from '../../errors.js';
import { describeType, type GraphValue, type ModelGraph } from '../../inference/onnx/read-graph.js';
import {
  type ElementType,
  elementTypes,
  isFloatType,
  isIntegerType,
} from '../../inference/tensors/tensor.js';
import { describeShape } from '../../text/describe-value.js';

/** What to do about an output that no tensor of ours can hold, in words that follow its name. */
export function unservable(output: GraphValue): string | undefined {
  if (output.kind === 'tensor' && typeOf(output) !== undefined) return undefined;
  const kind = describeType(output);
  const isMaps = output.kind === 'map' || output.element?.kind === 'map';
  const advice = isMaps ? 'export without ZipMap' : 'export what it holds as one output a tensor';
  const articles: Partial<Record<GraphValue['kind'], string>> = {
    tensor: 'a tensor of ',
    unknown: 'of type ',
    optional: 'an ',
    opaque: 'an ',
  };
  return `is ${articles[output.kind] ?? 'a '}${kind}, which cannot be served: ${output.kind === 'tensor' ? 'cast it to float32' : advice}`;
}

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
  const fault = unservable(output);
  if (fault !== undefined) throw new RefusedError(`the output ${name} ${fault}`);
  if (!fits(typeOf(output)))
    throw new RefusedError(`the output ${name} is not ${wanted}: ${describeOutputs(graph)}`);
}

/** The outputs of a graph in a message, with types and shapes. */
export function describeOutputs(graph: ModelGraph): string {
  return listed(
    graph.outputs.map(
      (it) =>
        `${it.name} (${it.kind === 'tensor' ? it.elementType : it.kind}${it.shape ? ` ${describeShape(it.shape)}` : ''})`,
    ),
  );
}

const maxListed = 20;

/** The first of some names or more, and how many others there are. */
export function listed(texts: readonly string[]): string {
  const rest = texts.length - maxListed;
  return [...texts.slice(0, maxListed), ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
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
