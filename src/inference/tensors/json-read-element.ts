import { describeValue } from '../../text/describe-value.js';
import { isEncodableText } from '../../text/encodable-text.js';
import {
  allocate,
  bytesOf,
  type Dimension,
  type ElementType,
  fitsType,
  isIntegerType,
  numberBounds,
  type TensorData,
  toElement,
} from './tensor.js';

/** The declaration of one input. Without `dims`, the rank is unknown. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly dims?: readonly Dimension[] | undefined;
  /** Open axes that may have size 0 in a request. */
  readonly emptyAxes?: ReadonlySet<number> | undefined;
}

/** The first problem of a tensor, with a pointer into the request's body. */
export class TensorFault extends Error {
  readonly pointer: string;

  constructor(pointer: string, message: string) {
    super(message);
    this.pointer = pointer;
  }
}

/** Writes a JSON value into a tensor's data. Throws `TensorFault` if it does not fit the type. */
export function writeElement(
  data: TensorData,
  index: number,
  value: unknown,
  type: ElementType,
  path: () => string,
): void {
  const target = data as (number | bigint | string)[];
  if (type === 'string') {
    if (typeof value !== 'string')
      throw new TensorFault(path(), `must be a string, got ${describeValue(value)}`);
    if (!isEncodableText(value)) throw new TensorFault(path(), 'must not hold NUL or half a surrogate pair');
    target[index] = value;
  } else if (type === 'bool') {
    if (typeof value !== 'boolean')
      throw new TensorFault(path(), `must be true or false, got ${describeValue(value)}`);
    target[index] = Number(value);
  } else {
    if (typeof value !== 'number' || !fitsType(value, type))
      throw new TensorFault(path(), numberMessage(value, type));
    target[index] = toElement(value, type);
  }
}

function numberMessage(value: unknown, type: ElementType): string {
  if (typeof value !== 'number') return `must be a number, got ${describeValue(value)}`;
  if (!isIntegerType(type)) return `must be a finite number that ${type} holds, got ${value}`;
  const bounds = numberBounds(type) as { lowest: number; highest: number };
  return `must be a whole number from ${bounds.lowest} to ${bounds.highest}, got ${value}`;
}

/** Reads little-endian bytes in base64, the only form in which floats may be NaN or infinite. Throws `TensorFault`. */
export function readBase64(base64: unknown, size: number, type: ElementType, pointer: string): TensorData {
  const width = bytesOf(type);
  if (width === undefined) throw new TensorFault(pointer, 'is not possible for strings; use "data"');
  const length = typeof base64 === 'string' ? decodedLength(base64) : undefined;
  if (typeof base64 !== 'string' || length === undefined) throw notBase64(pointer);
  // Before the tensor is allocated: its size is the client's word alone.
  if (length !== size * width) {
    if (Buffer.allocUnsafe(length).write(base64, 'base64') !== length) throw notBase64(pointer);
    throw new TensorFault(pointer, `must hold ${size} elements of ${width} bytes, got ${length} bytes`);
  }
  const elements = allocate(type, size) as Exclude<TensorData, string[]>;
  // Decoded into the tensor's own memory. Fewer bytes come out where Node skips a character that is no base64.
  if (Buffer.from(elements.buffer).write(base64, 'base64') !== length) throw notBase64(pointer);
  if (type === 'bool') {
    const other = (elements as Uint8Array).find((element) => element > 1);
    if (other !== undefined) throw new TensorFault(pointer, `must hold 0 and 1, got ${other}`);
  }
  if (typeof elements[0] === 'bigint') {
    const unsafe = (elements as BigInt64Array).find((element) => !Number.isSafeInteger(Number(element)));
    if (unsafe !== undefined) {
      throw new TensorFault(pointer, `must hold integers within ±(2^53 − 1), got ${unsafe}`);
    }
  }
  return elements;
}

/**
 * The bytes that a text of padded base64 (RFC 4648, 4) decodes to; undefined for a text that is none. Characters that
 * Node skips are left to the decoder's own count; those that it would take are found here: the alphabet for URLs, and
 * characters above U+00FF, of which Node 20 and 24 read the low byte. A regular expression took 4.4 ms for 800 kB.
 */
function decodedLength(base64: string): number | undefined {
  const { length } = base64;
  if (length % 4 !== 0 || base64.includes('-') || base64.includes('_')) return undefined;
  if (Buffer.byteLength(base64) !== length) return undefined;
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return (length / 4) * 3 - padding;
}

function notBase64(pointer: string): TensorFault {
  return new TensorFault(pointer, 'must be padded base64');
}
