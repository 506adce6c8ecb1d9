import type { ElementType, Tensor, TensorData } from '../../src/inference/tensors/tensor.js';
import { allocate, sizeOf } from '../../src/inference/tensors/tensor.js';
import { toFloat16 } from '../../test/helpers/onnx.js';

/** The element types that a request can carry, by their names in ONNX's schemas. */
const bySchemaName: Readonly<Record<string, ElementType>> = {
  'tensor(float)': 'float32',
  'tensor(double)': 'float64',
  'tensor(float16)': 'float16',
  'tensor(int8)': 'int8',
  'tensor(uint8)': 'uint8',
  'tensor(int16)': 'int16',
  'tensor(uint16)': 'uint16',
  'tensor(int32)': 'int32',
  'tensor(uint32)': 'uint32',
  'tensor(int64)': 'int64',
  'tensor(uint64)': 'uint64',
  'tensor(bool)': 'bool',
  'tensor(string)': 'string',
};

export const toElementType = (schemaName: string): ElementType | undefined => bySchemaName[schemaName];

/** A value for a tensor of any type: `toTensor` converts it. */
export type Filling = number | bigint | string;

const integerBounds: Partial<Record<ElementType, readonly [bigint, bigint]>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const largestFloat: Partial<Record<ElementType, readonly [largest: number, smallest: number]>> = {
  float16: [65_504, 2 ** -24],
  float32: [3.4028234663852886e38, 1e-45],
  float64: [Number.MAX_VALUE, Number.MIN_VALUE],
};

/** Values at and beyond the limits of what an operator expects, tried alone, in pairs and mixed. */
export function edgesOf(type: ElementType): readonly Filling[] {
  const bounds = integerBounds[type];
  if (bounds !== undefined) {
    const [lowest, highest] = bounds;
    return [...new Set([lowest, highest, lowest + 1n, -1n, 0n, 1n])].filter((it) => it >= lowest);
  }
  const limits = largestFloat[type];
  if (limits !== undefined) {
    const [largest, smallest] = limits;
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    return [nan, infinity, -infinity, largest, -largest, smallest, -0, -1];
  }
  // A tensor of booleans may hold any byte if the request sends bytes.
  if (type === 'bool') return [0n, 1n, 2n, 255n];
  return ['', '\uD800', 'a\u0001\u0007', 'nan', '-1e400', '9223372036854775808', '\u{1F600}'.repeat(50)];
}

/** Numbers near the sizes of the small tensors, and beyond any memory: indices, counts, axes. */
export function placesOf(type: ElementType): readonly Filling[] {
  const bounds = integerBounds[type];
  if (type in largestFloat) return [-3, 0.5, 7, 65_000, 2 ** 24, 2 ** 31, 1e12];
  if (bounds === undefined) return [];
  const places = [
    -4n,
    -3n,
    -2n,
    2n,
    3n,
    4n,
    5n,
    7n,
    100n,
    65_536n,
    2n ** 24n,
    -(2n ** 24n),
    2n ** 31n,
    2n ** 32n,
    2n ** 62n,
  ];
  return places.filter((it) => it >= bounds[0] && it <= bounds[1]);
}

/** A tensor whose elements repeat `values`, with numbers clamped to its type. */
export function toTensor(type: ElementType, dims: readonly number[], values: readonly Filling[]): Tensor {
  const data: TensorData = allocate(type, sizeOf(dims));
  for (let index = 0; index < data.length; index += 1) {
    (data as unknown[])[index] = toElement(values[index % values.length] ?? 0, type);
  }
  return { type, dims, data };
}

function toElement(value: Filling, type: ElementType): number | bigint | string {
  if (type === 'string') return String(value);
  if (typeof value === 'string') return 0;
  if (type === 'bool') return Number(value);
  const bounds = integerBounds[type];
  if (bounds === undefined) return type === 'float16' ? toFloat16(Number(value)) : Number(value);
  let integer = typeof value === 'bigint' ? value : BigInt(Math.trunc(Number.isFinite(value) ? value : 0));
  if (integer < bounds[0]) integer = bounds[0];
  if (integer > bounds[1]) integer = bounds[1];
  return type === 'int64' || type === 'uint64' ? integer : Number(integer);
}
