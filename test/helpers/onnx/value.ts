import { type ElementType, elementCode } from './tensor.js';
import { integer, join, message, text } from './wire.js';

/** A part of a model as bytes. The tag keeps a node from being passed as a value. */
export interface Encoded<Kind extends string> {
  readonly kind: Kind;
  readonly bytes: Uint8Array;
}

/** A number is fixed, a text symbolic, undefined unknown. */
export type Dimension = number | string | undefined;

function dimension(size: Dimension): Uint8Array {
  if (size === undefined) return message(1, []);
  return message(1, typeof size === 'number' ? integer(1, size) : text(2, size));
}

/** The body of a TypeProto.Tensor. */
export function tensorType(type: ElementType, shape?: readonly Dimension[]): Uint8Array {
  const rank = shape === undefined ? [] : [message(2, shape.map(dimension))];
  return join([integer(1, elementCode(type)), ...rank]);
}

const value = (name: string, type: Uint8Array): Encoded<'value'> => ({
  kind: 'value',
  bytes: join([text(1, name), message(2, type)]),
});

/** An input or output. Without a shape its rank is unknown; `[]` is a scalar. */
export const tensorValue = (name: string, type: ElementType, shape?: readonly Dimension[]) =>
  value(name, message(1, tensorType(type, shape)));

export const sparseValue = (name: string, type: ElementType, shape?: readonly Dimension[]) =>
  value(name, message(8, tensorType(type, shape)));

export const sequenceValue = (name: string, type: ElementType, shape?: readonly Dimension[]) =>
  value(name, message(4, message(1, message(1, tensorType(type, shape)))));

export const optionalValue = (name: string, type: ElementType, shape?: readonly Dimension[]) =>
  value(name, message(9, message(1, message(1, tensorType(type, shape)))));

const mapType = (key: ElementType, type: ElementType) =>
  message(5, [integer(1, elementCode(key)), message(2, message(1, tensorType(type, [])))]);

export const mapValue = (name: string, key: ElementType, type: ElementType) =>
  value(name, mapType(key, type));

/** The type of probabilities from scikit-learn's converter, unless it gets `zipmap=False`. */
export const sequenceOfMapsValue = (name: string, key: ElementType, type: ElementType) =>
  value(name, message(4, message(1, mapType(key, type))));
