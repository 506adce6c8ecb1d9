import { type TSchema, Type } from '@sinclair/typebox';
import { type Dimension, type ElementType, isIntegerType } from '../inference/tensor.js';
import type { TensorSpec } from '../inference/tensor-element.js';

/** JSON Schema of a request: each input in any of its three forms, and the names of outputs. */
export function describeTensorRequest(specs: readonly TensorSpec[], outputs: readonly string[]): TSchema {
  return Type.Object(
    {
      inputs: describeTensors(specs),
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
export function describeTensors(specs: readonly TensorSpec[]) {
  return Type.Object(Object.fromEntries(specs.map((spec) => [spec.name, describeTensor(spec)])), {
    additionalProperties: false,
  });
}

function describeTensor({ type, dims }: TensorSpec): TSchema {
  const element = { type: jsonTypeOf(type) };
  const shape = dims === undefined ? 'of any shape' : `of shape [${dims.map(dimText).join(', ')}]`;
  const nested = (dims ?? []).reduceRight<Record<string, unknown>>(
    (items, dim) => ({
      type: 'array',
      items,
      ...(typeof dim === 'number' && { minItems: dim, maxItems: dim }),
    }),
    element,
  );
  const flat = (key: 'data' | 'base64', schema: Record<string, unknown>) => ({
    type: 'object',
    required: ['shape', key],
    properties: { shape: { type: 'array', items: { type: 'integer', minimum: 0 } }, [key]: schema },
    additionalProperties: false,
  });
  return Type.Unsafe({
    description: `A tensor of ${type} ${shape}`,
    anyOf: [
      dims === undefined ? { anyOf: [element, { type: 'array' }] } : nested,
      flat('data', { type: 'array', items: element }),
      flat('base64', { type: 'string', contentEncoding: 'base64' }),
    ],
  });
}

function dimText(dim: Dimension): string {
  return String(dim ?? '?');
}

function jsonTypeOf(type: ElementType): string {
  if (type === 'string') return 'string';
  if (type === 'bool') return 'boolean';
  return isIntegerType(type) ? 'integer' : 'number';
}
