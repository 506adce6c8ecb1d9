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

/** JSON Schema of a request: each input as `describe` returns it, and the names of outputs. */
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

/** A tensor of a request in its three forms. No schema can say that the number of values must match the shape. */
export function describeForms(spec: TensorSpec, maxRows: number | undefined): Schema {
  return { anyOf: [describeNested(spec, maxRows), ...packedForms(spec.type)] };
}

/** A tensor of a request in the form of its example: nested arrays, or for a large tensor any form. */
export function describeAsExample(spec: TensorSpec, maxRows: number | undefined): Schema {
  return isShownAsBytes(spec) ? describeForms(spec, maxRows) : describeNested(spec, maxRows);
}

/** A tensor of an answer: nested arrays, which may be empty along an open axis. */
export function describeOutput({ type, dims }: TensorSpec): Schema {
  const element = { type: jsonTypeOf(type) };
  if (dims === undefined) return { anyOf: [element, { type: 'array', items: {} }] };
  return nest(dims, element, (dim) => (typeof dim === 'number' ? { minItems: dim, maxItems: dim } : {}));
}

/** Nested arrays of more elements would take tens of megabytes permanently. */
const maxNested = 1_048_576;

/** Whether the tensor's example is in base64. Open dimensions are 1 in it. */
export function isShownAsBytes({ type, dims = [] }: TensorSpec): boolean {
  return (
    bytesOf(type) !== undefined && sizeOf(dims.map((dim) => (typeof dim === 'number' ? dim : 1))) > maxNested
  );
}

function describeNested({ type, dims, emptyAxes }: TensorSpec, maxRows: number | undefined): Schema {
  // The engine ends a text at NUL.
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
  // Strings have no fixed size, and no form in base64.
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
