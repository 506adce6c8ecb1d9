import { fromFloat16, toFloat16 } from './float16.js';

export const elementTypes = [
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
] as const;

export type ElementType = (typeof elementTypes)[number];

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

/**
 * A dense tensor, row-major. float16 is held as its bits in a Uint16Array, bool as 0 and 1 in a Uint8Array,
 * and `data.length` is the product of `dims`.
 */
export interface Tensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** By the name of the graph's input or output. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A declared dimension: fixed, symbolic by name, or unknown. */
export type Dimension = number | string | undefined;

const integerBounds = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
  // The range that JSON carries exactly, which is narrower than the type.
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
} as const satisfies Partial<Record<ElementType, readonly [number, number]>>;

/** Half way between the largest finite value and the next power of two: from here on, rounding gives Infinity. */
const floatLimits = {
  float32: 3.4028235677973366e38,
  float16: 65_520,
  float64: Number.POSITIVE_INFINITY,
} as const;

export function isIntegerType(type: ElementType): type is keyof typeof integerBounds {
  return type in integerBounds;
}

export function isFloatType(type: ElementType): type is keyof typeof floatLimits {
  return type in floatLimits;
}

/** JSON numbers within these bounds fit the type. Float bounds are exclusive, integer bounds inclusive. */
export function numberBounds(
  type: ElementType,
): { integer: boolean; lowest: number; highest: number } | undefined {
  if (isIntegerType(type)) {
    const [lowest, highest] = integerBounds[type];
    return { integer: true, lowest, highest };
  }
  if (isFloatType(type)) return { integer: false, lowest: -floatLimits[type], highest: floatLimits[type] };
  return undefined;
}

export function schemaBounds(type: ElementType): Readonly<Record<string, number>> {
  const bounds = numberBounds(type);
  if (bounds === undefined || !Number.isFinite(bounds.highest)) return {};
  const { integer, lowest, highest } = bounds;
  return integer
    ? { minimum: lowest, maximum: highest }
    : { exclusiveMinimum: lowest, exclusiveMaximum: highest };
}

export function fitsType(value: number, type: ElementType): boolean {
  const bounds = numberBounds(type);
  if (bounds === undefined) return false;
  if (bounds.integer) return Number.isInteger(value) && value >= bounds.lowest && value <= bounds.highest;
  return value > bounds.lowest && value < bounds.highest;
}

export function bytesOf(type: ElementType): number | undefined {
  if (type === 'string') return undefined;
  if (type === 'float64' || type === 'int64' || type === 'uint64') return 8;
  if (type === 'float32' || type === 'int32' || type === 'uint32') return 4;
  return type === 'float16' || type === 'int16' || type === 'uint16' ? 2 : 1;
}

export function allocate(type: ElementType, size: number): TensorData {
  switch (type) {
    case 'float32':
      return new Float32Array(size);
    case 'float64':
      return new Float64Array(size);
    case 'int8':
      return new Int8Array(size);
    case 'int16':
      return new Int16Array(size);
    case 'float16':
    case 'uint16':
      return new Uint16Array(size);
    case 'int32':
      return new Int32Array(size);
    case 'uint32':
      return new Uint32Array(size);
    case 'int64':
      return new BigInt64Array(size);
    case 'uint64':
      return new BigUint64Array(size);
    case 'string':
      return new Array<string>(size).fill('');
    case 'bool':
    case 'uint8':
      return new Uint8Array(size);
    default:
      return type satisfies never;
  }
}

/** 1 for a scalar. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

export function toElement(value: number | string | boolean, type: ElementType): number | bigint | string {
  if (type === 'string') return String(value);
  const number = Number(value);
  if (type === 'int64' || type === 'uint64') return BigInt(number);
  return type === 'float16' ? toFloat16(number) : number;
}

export function roundTo(value: number, type: ElementType): number {
  if (type === 'float32') return Math.fround(value);
  return type === 'float16' ? fromFloat16(toFloat16(value)) : value;
}
