import type { Problem } from '../../errors.js';
import { describeShape, describeValue, isObject } from '../../text/describe-value.js';
import { readBase64, TensorFault, type TensorSpec, writeElement } from './json-read-element.js';
import { allocate, type Dimension, sizeOf, type Tensor } from './tensor.js';

/** The engine's own limit is higher; nothing that people serve comes near. */
export const maxRank = 16;
/** Of a tensor without elements, what its other dimensions multiply to at most: its answer has as many brackets. */
const maxEmptySize = 65_536;

/**
 * Reads a tensor from JSON: nested arrays (a bare value where it has no dimensions), `{shape, data}` with the
 * elements in one flat array, or `{shape, base64}` with little-endian bytes. `symbols` collects what each
 * symbolic dimension was, so that two inputs that share one agree. Takes no more room than the JSON did.
 * Gives the tensor, or the first problem with its pointer below `pointer`.
 */
export function readTensor(
  value: unknown,
  spec: TensorSpec,
  pointer: string,
  symbols: Map<string, number>,
): Tensor | Problem {
  try {
    return isObject(value)
      ? readShaped(value, spec, pointer, symbols)
      : readNested(value, spec, pointer, symbols);
  } catch (error) {
    if (error instanceof TensorFault) return { pointer: error.pointer, message: error.message };
    throw error;
  }
}

type Symbols = Map<string, number>;

function readNested(value: unknown, spec: TensorSpec, pointer: string, symbols: Symbols): Tensor {
  const dims: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) {
    dims.push(level.length);
    if (dims.length > (spec.dims?.length ?? maxRank)) throw new TensorFault(pointer, rankMessage(spec));
  }
  // Before there is room for as many elements as the first row promises: a ragged body may promise 10^12.
  checkRegular(value, dims, 0, pointer);
  checkDims(dims, spec, pointer, symbols);
  const data = allocate(spec.type, sizeOf(dims));
  let next = 0;
  const read = (level: unknown, depth: number, path: () => string): void => {
    if (depth === dims.length) {
      writeElement(data, next++, level, spec.type, path);
      return;
    }
    const items = level as readonly unknown[];
    let index = 0;
    // One for all: there may be millions of items.
    const itemPath = () => `${path()}/${index}`;
    if (depth + 1 === dims.length) {
      for (; index < items.length; index += 1) writeElement(data, next++, items[index], spec.type, itemPath);
    } else for (; index < items.length; index += 1) read(items[index], depth + 1, itemPath);
  };
  read(value, 0, () => pointer);
  return { type: spec.type, dims, data };
}

/** Throws unless every array of one depth is as long as the first of that depth. */
function checkRegular(level: unknown, dims: readonly number[], depth: number, pointer: string): void {
  if (depth === dims.length) return;
  if (!Array.isArray(level) || level.length !== dims[depth]) {
    const got = Array.isArray(level) ? `one of ${level.length}` : describeValue(level);
    throw new TensorFault(pointer, `must be an array of ${dims[depth]} like the first, got ${got}`);
  }
  if (depth + 1 === dims.length) return;
  for (let index = 0; index < level.length; index += 1) {
    checkRegular(level[index], dims, depth + 1, `${pointer}/${index}`);
  }
}

function readShaped(
  value: Record<string, unknown>,
  spec: TensorSpec,
  pointer: string,
  symbols: Symbols,
): Tensor {
  const { shape, data, base64, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    const wanted = 'must have "shape" and "data" or "base64", and nothing else';
    throw new TensorFault(pointer, `${wanted}; got ${describeValue(unknown)}`);
  }
  if ((data === undefined) === (base64 === undefined))
    throw new TensorFault(pointer, 'must have "shape", and either "data" or "base64"');
  const dims = readShape(shape, `${pointer}/shape`);
  checkDims(dims, spec, `${pointer}/shape`, symbols);
  const size = sizeOf(dims);
  if (base64 !== undefined) {
    return { type: spec.type, dims, data: readBase64(base64, size, spec.type, `${pointer}/base64`) };
  }
  if (!Array.isArray(data))
    throw new TensorFault(`${pointer}/data`, `must be a flat array, got ${describeValue(data)}`);
  if (data.length !== size) {
    const wanted = `must have ${size} elements for shape [${dims.join(', ')}]`;
    throw new TensorFault(`${pointer}/data`, `${wanted}, got ${data.length}`);
  }
  const elements = allocate(spec.type, size);
  for (let index = 0; index < size; index += 1) {
    writeElement(elements, index, data[index], spec.type, () => `${pointer}/data/${index}`);
  }
  return { type: spec.type, dims, data: elements };
}

function readShape(shape: unknown, pointer: string): readonly number[] {
  const isDimension = (dim: unknown) => Number.isSafeInteger(dim) && (dim as number) >= 0;
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isDimension)) {
    throw new TensorFault(pointer, `must be an array of at most ${maxRank} whole numbers from 0`);
  }
  return shape;
}

function checkDims(dims: readonly number[], spec: TensorSpec, pointer: string, symbols: Symbols): void {
  if (dims[0] === 0) throw new TensorFault(pointer, 'must have at least one row');
  if (spec.dims !== undefined && dims.length !== spec.dims.length)
    throw new TensorFault(pointer, `${rankMessage(spec)}, got ${dims.length}`);
  spec.dims?.forEach((declared, axis) => {
    const given = dims[axis] as number;
    const wanted = wantedSize(declared, symbols) ?? given;
    if (given !== wanted)
      throw new TensorFault(pointer, `must be of size ${wanted} along axis ${axis}, got ${given}`);
    if (given === 0 && declared !== 0 && !spec.emptyAxes?.has(axis))
      throw new TensorFault(pointer, emptyMessage(axis));
    if (typeof declared === 'string') symbols.set(declared, given);
  });
  if (spec.dims === undefined && dims.includes(0))
    throw new TensorFault(pointer, emptyMessage(dims.indexOf(0)));
  if (dims.includes(0) && sizeOf(dims.filter((dim) => dim !== 0)) > maxEmptySize)
    throw new TensorFault(pointer, 'is too large for a tensor without elements');
}

function emptyMessage(axis: number): string {
  return `has no elements along axis ${axis}, and this model gave no answer to such a tensor when it was tried: send at least one`;
}

function wantedSize(declared: Dimension, symbols: Symbols): number | undefined {
  return typeof declared === 'string' ? symbols.get(declared) : declared;
}

function rankMessage(spec: TensorSpec): string {
  if (spec.dims === undefined) return `must have at most ${maxRank} dimensions`;
  if (spec.dims.length === 0) return 'must be a bare value, without dimensions';
  return `must have ${spec.dims.length} dimensions: ${describeShape(spec.dims)}`;
}
