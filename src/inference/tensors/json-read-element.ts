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
  if (typeof base64 !== 'string' || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new TensorFault(pointer, 'must be padded base64');
  }
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length !== size * width) {
    throw new TensorFault(pointer, `must hold ${size} elements of ${width} bytes, got ${bytes.length} bytes`);
  }
  const elements = allocate(type, size) as Exclude<TensorData, string[]>;
  bytes.copy(new Uint8Array(elements.buffer));
  for (let index = 0; index < elements.length; index += 1) {
    const element = elements[index];
    if (type === 'bool' && element !== 0 && element !== 1)
      throw new TensorFault(pointer, `must hold 0 and 1, got ${element}`);
    if (typeof element === 'bigint' && !Number.isSafeInteger(Number(element))) {
      throw new TensorFault(pointer, `must hold integers within ±(2^53 − 1), got ${element}`);
    }
  }
  return elements;
}
