import { type ElementType, type TensorData, type TensorSource, tensorProto } from './onnx/tensor.js';
import { type Dimension, type Encoded, tensorType } from './onnx/value.js';
import {
  float as floatField,
  floats as floatFields,
  integer,
  integers,
  join,
  message,
  text,
  texts as textFields,
} from './onnx/wire.js';

export { ELEMENT_TYPES, type ElementType, type TensorData, toFloat16 } from './onnx/tensor.js';
export * from './onnx/value.js';

/**
 * Writes ONNX models by hand, so that tests need neither Python nor files:
 *
 *     model({
 *       inputs: [tensorValue('X', 'float32', ['N', 3])],
 *       outputs: [tensorValue('Y', 'float32', ['N', 1])],
 *       initializers: [initializer('W', 'float32', [3, 1], [1, 2, 3])],
 *       nodes: [node('MatMul', ['X', 'W'], ['Y'])],
 *     })
 */
export function model(source: ModelSource): Uint8Array {
  const { irVersion = 8, opset = 17, mlOpset = 3, producer = 'sardonyx-test' } = source;
  return join([
    integer(1, irVersion),
    text(2, producer),
    message(7, graphProto(source)),
    ...Object.entries({ '': opset, 'ai.onnx.ml': mlOpset, ...source.opsets }).map(opsetImport),
    ...Object.entries(source.metadata ?? {}).map(([key, value]) =>
      message(14, [text(1, key), text(2, value)]),
    ),
    ...(source.training ?? []).map((graph) => message(20, message(2, graphProto(graph)))),
    ...(source.functions ?? []).map((body) => message(25, functionProto(body))),
  ]);
}

export interface GraphSource {
  readonly name?: string;
  readonly inputs?: readonly Encoded<'value'>[];
  readonly outputs?: readonly Encoded<'value'>[];
  readonly nodes?: readonly Encoded<'node'>[];
  readonly initializers?: readonly Encoded<'initializer'>[];
  readonly sparseInitializers?: readonly Encoded<'sparse'>[];
}

export interface ModelSource extends GraphSource {
  readonly irVersion?: number;
  readonly opset?: number;
  readonly mlOpset?: number;
  /** Further domains, or another version for one of the two above. */
  readonly opsets?: Readonly<Record<string, number>>;
  readonly producer?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly functions?: readonly FunctionSource[];
  readonly training?: readonly GraphSource[];
}

export interface FunctionSource {
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Encoded<'node'>[];
}

const opsetImport = ([domain, version]: [string, number]) =>
  message(8, [text(1, domain), integer(2, version)]);

function graphProto(source: GraphSource): Uint8Array {
  const list = (field: number, parts: readonly Encoded<string>[] = []) =>
    parts.map(({ bytes }) => message(field, bytes));
  return join([
    ...list(1, source.nodes),
    text(2, source.name ?? 'graph'),
    ...list(5, source.initializers),
    ...list(11, source.inputs),
    ...list(12, source.outputs),
    ...list(15, source.sparseInitializers),
  ]);
}

function functionProto(source: FunctionSource): Uint8Array {
  return join([
    text(1, source.name),
    textFields(4, source.inputs),
    textFields(5, source.outputs),
    ...source.nodes.map(({ bytes }) => message(7, bytes)),
    message(9, [text(1, ''), integer(2, 17)]),
    text(10, source.domain),
  ]);
}

// Initializers

const encodedTensor = (source: TensorSource): Encoded<'initializer'> => ({
  kind: 'initializer',
  bytes: tensorProto(source),
});

/** A constant of the graph. Without data it only declares its shape, and the model is broken. */
export const initializer = (
  name: string,
  type: ElementType,
  dims: readonly (number | bigint)[],
  data?: TensorData,
) => encodedTensor({ name, type, dims, ...(data && { data }) });

export const externalInitializer = (
  name: string,
  type: ElementType,
  dims: readonly number[],
  external: { location: string; offset?: number; length?: number },
) => encodedTensor({ name, type, dims, external });

/** Values and their indices, both one-dimensional. The name is that of the values. */
export const sparseInitializer = (
  values: Encoded<'initializer'>,
  indices: Encoded<'initializer'>,
  dims: readonly number[],
): Encoded<'sparse'> => ({
  kind: 'sparse',
  bytes: join([message(1, values.bytes), message(2, indices.bytes), integers(3, dims)]),
});

// Nodes and their attributes

/** An operator. Another domain is a prefix: `ai.onnx.ml:Scaler`. The functions below make attributes. */
export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Encoded<'attribute'>>> = {},
): Encoded<'node'> {
  const colon = operator.lastIndexOf(':');
  const bytes = join([
    textFields(1, inputs),
    textFields(2, outputs),
    text(3, outputs[0] ?? operator),
    text(4, operator.slice(colon + 1)),
    ...Object.entries(attributes).map(([name, { bytes }]) => message(5, [text(1, name), bytes])),
    ...(colon > 0 ? [text(7, operator.slice(0, colon))] : []),
  ]);
  return { kind: 'node', bytes };
}

const attribute = (type: number, content: Uint8Array): Encoded<'attribute'> => ({
  kind: 'attribute',
  bytes: join([content, integer(20, type)]),
});

export const float = (value: number) => attribute(1, floatField(2, value));
export const int = (value: number | bigint) => attribute(2, integer(3, value));
export const string = (value: string) => attribute(3, text(4, value));
export const tensor = ({ bytes }: Encoded<'initializer'>) => attribute(4, message(5, bytes));
export const graph = (source: GraphSource) => attribute(5, message(6, graphProto(source)));
export const floats = (values: ArrayLike<number>) => attribute(6, floatFields(7, values));
export const ints = (values: Iterable<number | bigint>) => attribute(7, integers(8, values));
export const strings = (values: Iterable<string>) => attribute(8, textFields(9, values));
export const tensors = (values: readonly Encoded<'initializer'>[]) =>
  attribute(9, join(values.map(({ bytes }) => message(10, bytes))));
export const graphs = (sources: readonly GraphSource[]) =>
  attribute(10, join(sources.map((source) => message(11, graphProto(source)))));
export const sparseTensor = ({ bytes }: Encoded<'sparse'>) => attribute(11, message(22, bytes));
export const typeOf = (type: ElementType, shape?: readonly Dimension[]) =>
  attribute(13, message(14, message(1, tensorType(type, shape))));
