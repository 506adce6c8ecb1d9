import { type TSchema, Type } from '@sinclair/typebox';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import {
  bytesOf,
  type Dimension,
  type ElementType,
  isIntegerType,
  schemaBounds,
  sizeOf,
} from '../../inference/tensors/tensor.js';
import { describeShape } from '../../text/describe-value.js';

type Schema = Record<string, unknown>;

/** JSON Schema of a request: each input as `describe` has it, and the names of outputs. */
export function describeTensorRequest(
  specs: readonly TensorSpec[],
  outputs: readonly string[],
  describe: (spec: TensorSpec) => Schema,
): TSchema {
  return Type.Object(
    {
      inputs: describeTensors(specs, describe),
      outputs: Type.Optional(
        Type.Array(Type.Unsafe<string>({ type: 'string', enum: outputs }), {
          uniqueItems: true,
          minItems: 1,
        }),
      ),
    },
    { additionalProperties: false },
  );
}

/** JSON Schema of an object of tensors. */
export function describeTensors(specs: readonly TensorSpec[], describe: (spec: TensorSpec) => Schema) {
  return Type.Object(
    Object.fromEntries(
      specs.map((spec) => [
        spec.name,
        Type.Unsafe({ description: `A tensor of ${spec.type} ${shapeText(spec)}`, ...describe(spec) }),
      ]),
    ),
    { additionalProperties: false },
  );
}

/** A tensor of a request in any of its three forms. That the values are as many as the shape says, no schema can. */
export function describeForms(spec: TensorSpec, maxRows: number | undefined): Schema {
  return { anyOf: [describeNested(spec, maxRows), ...packedForms(spec.type)] };
}

/** A tensor of a request as its example has it: nested arrays, which a schema describes nearly whole, unless large. */
export function describeAsExample(spec: TensorSpec, maxRows: number | undefined): Schema {
  return isShownAsBytes(spec) ? describeForms(spec, maxRows) : describeNested(spec, maxRows);
}

/** A tensor of an answer: nested arrays, with no elements along any axis that is open. */
export function describeOutput({ type, dims }: TensorSpec): Schema {
  const element = { type: jsonTypeOf(type) };
  if (dims === undefined) return { anyOf: [element, { type: 'array', items: {} }] };
  return nest(dims, element, (dim) => (typeof dim === 'number' ? { minItems: dim, maxItems: dim } : {}));
}

/** As nested arrays more than so many elements would take tens of megabytes for good. */
const maxNested = 1_048_576;

/** Whether an example of the tensor is bytes. Open dimensions are 1 in it. */
export function isShownAsBytes({ type, dims = [] }: TensorSpec): boolean {
  return (
    bytesOf(type) !== undefined && sizeOf(dims.map((dim) => (typeof dim === 'number' ? dim : 1))) > maxNested
  );
}

function describeNested({ type, dims, emptyAxes }: TensorSpec, maxRows: number | undefined): Schema {
  // An engine's text ends at NUL.
  const bounds = type === 'string' ? { pattern: '^[^\\u0000]*$' } : schemaBounds(type);
  const element = { type: jsonTypeOf(type), ...bounds };
  if (dims === undefined) return { anyOf: [element, { type: 'array', items: {}, minItems: 1 }] };
  return nest(dims, element, (dim, axis) => {
    if (typeof dim === 'number') return { minItems: dim, maxItems: dim };
    return {
      ...((axis === 0 || !emptyAxes?.has(axis)) && { minItems: 1 }),
      ...(axis === 0 && maxRows !== undefined && { maxItems: maxRows }),
    };
  });
}

function nest(
  dims: readonly Dimension[],
  element: Schema,
  lengthOf: (dim: Dimension, axis: number) => Schema,
): Schema {
  return dims.reduceRight<Schema>(
    (items, dim, axis) => ({ type: 'array', items, ...lengthOf(dim, axis) }),
    element,
  );
}

function packedForms(type: ElementType): readonly Schema[] {
  const flat = (key: 'data' | 'base64', schema: Schema) => ({
    type: 'object',
    required: ['shape', key],
    properties: { shape: { type: 'array', items: { type: 'integer', minimum: 0 } }, [key]: schema },
    additionalProperties: false,
  });
  const data = flat('data', { type: 'array', items: { type: jsonTypeOf(type) } });
  // Strings have no fixed size.
  if (bytesOf(type) === undefined) return [data];
  return [data, flat('base64', { type: 'string', contentEncoding: 'base64' })];
}

function shapeText({ dims }: TensorSpec): string {
  return dims === undefined ? 'of any shape' : `of shape ${describeShape(dims)}`;
}

function jsonTypeOf(type: ElementType): string {
  if (type === 'string') return 'string';
  if (type === 'bool') return 'boolean';
  return isIntegerType(type) ? 'integer' : 'number';
}
