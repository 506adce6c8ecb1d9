import { integer, integers, join, message, text, texts } from './wire.js';

/** TensorProto.DataType by the name that ONNX's documentation uses. */
const ELEMENT_CODES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
} as const;

export type ElementType = keyof typeof ELEMENT_CODES;
export const ELEMENT_TYPES = Object.keys(ELEMENT_CODES) as ElementType[];
export const elementCode = (type: ElementType): number => ELEMENT_CODES[type];

/**
 * The elements in row-major order. A `Uint8Array` holds the raw bytes: the only form for types without a writer here
 * (complex, float8, and those under eight bits).
 */
export type TensorData = Uint8Array | readonly (number | bigint | boolean | string)[];

export interface TensorSource {
  readonly name?: string;
  readonly type: ElementType;
  readonly dims: readonly (number | bigint)[];
  readonly data?: TensorData;
  readonly external?: ExternalData;
}

/** The file that holds the bytes of a tensor. Numbers are written as text, as ONNX requires. */
interface ExternalData {
  readonly location: string;
  readonly offset?: number;
  readonly length?: number;
}

/** The 16 bits of a float16. Rounds to nearest, ties to even. */
export function toFloat16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -24)));
  const steps = size / 2 ** (exponent - 10);
  const floor = Math.floor(steps);
  const up = steps - floor > 0.5 || (steps - floor === 0.5 && floor % 2 === 1);
  // Steps of 1,024 and more carry the implicit bit, which lands in the exponent field by itself.
  return sign | (((exponent + 14) << 10) + floor + (up ? 1 : 0));
}

type Put = (view: DataView, at: number, value: number | bigint) => void;

/** Bytes per element, and the function that writes one. */
const WRITERS: Partial<Record<ElementType, readonly [number, Put]>> = {
  float32: [4, (view, at, value) => view.setFloat32(at, Number(value), true)],
  float64: [8, (view, at, value) => view.setFloat64(at, Number(value), true)],
  float16: [2, (view, at, value) => view.setUint16(at, toFloat16(Number(value)), true)],
  bfloat16: [2, (view, at, value) => view.setUint16(at, upperHalf(Number(value)), true)],
  bool: [1, (view, at, value) => view.setUint8(at, Number(value))],
  int8: [1, (view, at, value) => view.setInt8(at, Number(value))],
  uint8: [1, (view, at, value) => view.setUint8(at, Number(value))],
  int16: [2, (view, at, value) => view.setInt16(at, Number(value), true)],
  uint16: [2, (view, at, value) => view.setUint16(at, Number(value), true)],
  int32: [4, (view, at, value) => view.setInt32(at, Number(value), true)],
  uint32: [4, (view, at, value) => view.setUint32(at, Number(value), true)],
  int64: [8, (view, at, value) => view.setBigInt64(at, BigInt(value), true)],
  uint64: [8, (view, at, value) => view.setBigUint64(at, BigInt(value), true)],
};

function upperHalf(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint16(0);
}

function rawData(type: ElementType, data: TensorData): Uint8Array {
  if (data instanceof Uint8Array) return data;
  const writer = WRITERS[type];
  if (writer === undefined) throw new Error(`${type} is written from raw bytes only`);
  const [width, put] = writer;
  const view = new DataView(new ArrayBuffer(data.length * width));
  data.forEach((value, i) => {
    if (typeof value === 'string') throw new Error(`${type} takes no text`);
    put(view, i * width, typeof value === 'boolean' ? Number(value) : value);
  });
  return new Uint8Array(view.buffer);
}

function content({ type, data, external }: TensorSource): Uint8Array {
  if (external !== undefined) {
    const entries = Object.entries(external).map(([key, value]) =>
      message(13, [text(1, key), text(2, String(value))]),
    );
    return join([...entries, integer(14, 1)]);
  }
  if (data === undefined) return join([]);
  if (type === 'string' && !(data instanceof Uint8Array)) return texts(6, data.map(String));
  return message(9, rawData(type, data));
}

/** The body of a TensorProto. Without data or external data it only claims its shape. */
export function tensorProto(source: TensorSource): Uint8Array {
  const name = source.name === undefined ? [] : [text(8, source.name)];
  return join([integers(1, source.dims), integer(2, elementCode(source.type)), ...name, content(source)]);
}
