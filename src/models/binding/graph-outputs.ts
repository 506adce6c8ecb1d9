import { RefusedError } from '../../errors.js';
import { describeType, type GraphValue, type ModelGraph } from '../../inference/onnx/read-graph.js';
import {
  type ElementType,
  elementTypes,
  isFloatType,
  isIntegerType,
} from '../../inference/tensors/tensor.js';
import { describeShape } from '../../text/describe-value.js';

/** Why an output cannot be served and the remedy, in words that follow its name; undefined if it can be. */
export function unservable(output: GraphValue): string | undefined {
  if (output.kind === 'tensor' && typeOf(output) !== undefined) return undefined;
  const kind = describeType(output);
  const isMaps = output.kind === 'map' || output.element?.kind === 'map';
  const advice = isMaps ? 'export without ZipMap' : 'export its content as separate tensor outputs';
  const articles: Partial<Record<GraphValue['kind'], string>> = {
    tensor: 'a tensor of ',
    unknown: 'of type ',
    optional: 'an ',
    opaque: 'an ',
  };
  return `is ${articles[output.kind] ?? 'a '}${kind}, which cannot be served: ${output.kind === 'tensor' ? 'cast it to float32' : advice}`;
}

/** The only candidate. If there is another number, throws `RefusedError` with the key of the manifest that decides. */
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

/** The outputs of a graph with types and shapes, for a message. */
export function describeOutputs(graph: ModelGraph): string {
  return listed(
    graph.outputs.map(
      (it) =>
        `${it.name} (${it.kind === 'tensor' ? it.elementType : it.kind}${it.shape ? ` ${describeShape(it.shape)}` : ''})`,
    ),
  );
}

const maxListed = 20;

/** The first texts, and how many others there are. */
export function listed(texts: readonly string[]): string {
  const rest = texts.length - maxListed;
  return [...texts.slice(0, maxListed), ...(rest > 0 ? [`${rest} more`] : [])].join(', ');
}

/** Undefined if the value is not a tensor of a supported type. */
export function typeOf(output: GraphValue): ElementType | undefined {
  return output.kind === 'tensor' ? elementTypes.find((type) => type === output.elementType) : undefined;
}

export function isFloat(type: ElementType | undefined): boolean {
  return type !== undefined && isFloatType(type);
}

export function isNumeric(type: ElementType | undefined): boolean {
  return type !== undefined && (isFloatType(type) || isIntegerType(type));
}
