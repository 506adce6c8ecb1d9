import type { Problem } from '../errors.js';
import { readNumber } from './element.js';
import {
  allocate,
  bytesOf,
  type Dimension,
  type ElementType,
  fitsType,
  isIntegerType,
  numberBounds,
  sizeOf,
  type Tensor,
  type TensorData,
  toElement,
} from './tensor.js';
import { describeValue, isEncodableText } from './text.js';

/** What a graph declares of one input: without `dims` the rank is unknown. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly dims?: readonly Dimension[] | undefined;
}

/** A problem found while a tensor was read: thrown inside this file, since the first one ends the reading. */
class Fault extends Error {
  readonly pointer: string;

  constructor(pointer: string, message: string) {
    super(message);
    this.pointer = pointer;
  }
}

/** The engine's own limit is higher; nothing that people serve comes near. */
const maxRank = 16;

/**
 * Reads a tensor from JSON: nested arrays (a bare value where it has no dimensions), `{shape, data}` with the
 * elements in one flat array, or `{shape, base64}` with little-endian bytes. `symbols` collects what each
 * symbolic dimension was, so that two inputs that share one agree.
 * Gives the tensor, or the first problem with its pointer below `pointer`.
 */
export function readTensor(
  value: unknown,
  spec: TensorSpec,
  pointer: string,
  symbols: Map<string, number>,
): Tensor | Problem {
  try {
    const tensor = isPlainObject(value) ? readShaped(value, spec, pointer) : readNested(value, spec, pointer);
    checkDims(tensor.dims, spec, pointer, symbols);
    return tensor;
  } catch (error) {
    if (error instanceof Fault) return { pointer: error.pointer, message: error.message };
    throw error;
  }
}

type NestedArray = readonly (NestedArray | number | string | boolean)[];
export type NestedValue = NestedArray | number | string | boolean;

/**
 * A tensor as nested arrays, a bare value where it has no dimensions; float16 as numbers, bool as true and false.
 * Throws `output_not_finite` and `output_not_exact`, naming the output.
 */
export function toNestedArrays(tensor: Tensor, output: string): NestedValue {
  let next = 0;
  const element = (index: number): NestedValue => {
    if (tensor.type === 'string') return tensor.data[index] as string;
    if (tensor.type === 'bool') return tensor.data[index] === 1;
    return readNumber(tensor, index, output);
  };
  const level = (depth: number): NestedValue => {
    if (depth === tensor.dims.length) return element(next++);
    return Array.from({ length: tensor.dims[depth] as number }, () => level(depth + 1));
  };
  return level(0);
}

function readNested(value: unknown, spec: TensorSpec, pointer: string): Tensor {
  const dims: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) {
    dims.push(level.length);
    if (dims.length > (spec.dims?.length ?? maxRank)) throw new Fault(pointer, rankMessage(spec));
  }
  const data = allocate(spec.type, sizeOf(dims));
  let next = 0;
  const read = (level: unknown, depth: number, path: () => string): void => {
    if (depth === dims.length) {
      writeElement(data, next++, level, spec.type, path);
      return;
    }
    if (!Array.isArray(level) || level.length !== dims[depth]) {
      const got = Array.isArray(level) ? `one of ${level.length}` : describeValue(level);
      throw new Fault(path(), `must be an array of ${dims[depth]} like the first, got ${got}`);
    }
    for (let index = 0; index < level.length; index += 1)
      read(level[index], depth + 1, () => `${path()}/${index}`);
  };
  read(value, 0, () => pointer);
  return { type: spec.type, dims, data };
}

function readShaped(value: Record<string, unknown>, spec: TensorSpec, pointer: string): Tensor {
  const { shape, data, base64, ...rest } = value;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw new Fault(
      pointer,
      `must have "shape" and "data" or "base64", and nothing else; got ${describeValue(unknown)}`,
    );
  }
  if (
    !Array.isArray(shape) ||
    shape.length > maxRank ||
    !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
  ) {
    throw new Fault(`${pointer}/shape`, 'must be an array of whole numbers from 0');
  }
  const dims: number[] = shape;
  const size = sizeOf(dims);
  if ((data === undefined) === (base64 === undefined))
    throw new Fault(pointer, 'must have either "data" or "base64"');
  if (base64 !== undefined)
    return { type: spec.type, dims, data: readBase64(base64, size, spec.type, pointer) };
  if (!Array.isArray(data))
    throw new Fault(`${pointer}/data`, `must be a flat array, got ${describeValue(data)}`);
  if (data.length !== size) {
    throw new Fault(
      `${pointer}/data`,
      `must have ${size} elements for shape [${dims.join(', ')}], got ${data.length}`,
    );
  }
  const elements = allocate(spec.type, size);
  data.forEach((element, index) => {
    writeElement(elements, index, element, spec.type, () => `${pointer}/data/${index}`);
  });
  return { type: spec.type, dims, data: elements };
}

function readBase64(base64: unknown, size: number, type: ElementType, parent: string): TensorData {
  const pointer = `${parent}/base64`;
  const width = bytesOf(type);
  if (width === undefined) throw new Fault(pointer, 'is not possible for strings; use "data"');
  if (typeof base64 !== 'string' || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new Fault(pointer, 'must be padded base64');
  }
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length !== size * width) {
    throw new Fault(pointer, `must hold ${size} elements of ${width} bytes, got ${bytes.length} bytes`);
  }
  const elements = allocate(type, size) as Exclude<TensorData, string[]>;
  bytes.copy(new Uint8Array(elements.buffer));
  for (let index = 0; index < elements.length; index += 1) {
    const element = elements[index];
    if (type === 'bool' && element !== 0 && element !== 1)
      throw new Fault(pointer, `must hold 0 and 1, got ${element}`);
    if (typeof element === 'bigint' && !Number.isSafeInteger(Number(element))) {
      throw new Fault(pointer, `must hold integers within ±(2^53 − 1), got ${element}`);
    }
  }
  return elements;
}

function writeElement(
  data: TensorData,
  index: number,
  value: unknown,
  type: ElementType,
  path: () => string,
): void {
  const target = data as (number | bigint | string)[];
  if (type === 'string') {
    if (typeof value !== 'string') throw new Fault(path(), `must be a string, got ${describeValue(value)}`);
    if (!isEncodableText(value)) throw new Fault(path(), 'must not hold NUL or half a surrogate pair');
    target[index] = value;
  } else if (type === 'bool') {
    if (typeof value !== 'boolean')
      throw new Fault(path(), `must be true or false, got ${describeValue(value)}`);
    target[index] = Number(value);
  } else {
    if (typeof value !== 'number' || !fitsType(value, type))
      throw new Fault(path(), numberMessage(value, type));
    target[index] = toElement(value, type);
  }
}

function numberMessage(value: unknown, type: ElementType): string {
  if (typeof value !== 'number') return `must be a number, got ${describeValue(value)}`;
  if (!isIntegerType(type)) return `must be a finite number that ${type} holds, got ${value}`;
  const bounds = numberBounds(type) as { lowest: number; highest: number };
  return `must be a whole number from ${bounds.lowest} to ${bounds.highest}, got ${value}`;
}

function rankMessage(spec: TensorSpec): string {
  if (spec.dims === undefined) return `must have at most ${maxRank} dimensions`;
  const shape = spec.dims.map((dim) => dim ?? '?').join(', ');
  return `must have ${spec.dims.length} dimensions: [${shape}]`;
}

function checkDims(
  dims: readonly number[],
  spec: TensorSpec,
  pointer: string,
  symbols: Map<string, number>,
): void {
  if (dims[0] === 0) throw new Fault(pointer, 'must have at least one row');
  if (spec.dims === undefined) return;
  if (dims.length !== spec.dims.length) throw new Fault(pointer, `${rankMessage(spec)}, got ${dims.length}`);
  spec.dims.forEach((declared, axis) => {
    const given = dims[axis] as number;
    const wanted = typeof declared === 'string' ? (symbols.get(declared) ?? given) : (declared ?? given);
    if (given !== wanted)
      throw new Fault(pointer, `must be of size ${wanted} along axis ${axis}, got ${given}`);
    if (typeof declared === 'string') symbols.set(declared, given);
  });
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
