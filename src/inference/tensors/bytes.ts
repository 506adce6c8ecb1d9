import { Buffer } from 'node:buffer';
import type { ElementType, TensorData, Tensors } from './tensor.js';

/**
 * The elements of a tensor as they lie in memory, without a copy. Texts become their number and their lengths in bytes,
 * all as unsigned 32-bit numbers, and then their UTF-8.
 */
export function toBytes(data: TensorData): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const texts = data.map((text) => Buffer.from(text));
  const lengths = Buffer.alloc(4 + 4 * texts.length);
  lengths.writeUInt32LE(texts.length, 0);
  for (const [k, { length }] of texts.entries()) lengths.writeUInt32LE(length, 4 + 4 * k);
  return Buffer.concat([lengths, ...texts]);
}

/** The reverse of `toBytes`: a view of `bytes`, which must begin at a multiple of 8 in its buffer. Texts are copied. */
export function fromBytes(type: ElementType, bytes: Buffer): TensorData {
  const { buffer, byteOffset: at, byteLength: length } = bytes;
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, at, length / 4);
    case 'float64':
      return new Float64Array(buffer, at, length / 8);
    case 'int8':
      return new Int8Array(buffer, at, length);
    case 'int16':
      return new Int16Array(buffer, at, length / 2);
    case 'float16':
    case 'uint16':
      return new Uint16Array(buffer, at, length / 2);
    case 'int32':
      return new Int32Array(buffer, at, length / 4);
    case 'uint32':
      return new Uint32Array(buffer, at, length / 4);
    case 'int64':
      return new BigInt64Array(buffer, at, length / 8);
    case 'uint64':
      return new BigUint64Array(buffer, at, length / 8);
    case 'string':
      return readTexts(bytes);
    case 'bool':
    case 'uint8':
      return new Uint8Array(buffer, at, length);
    default:
      return type satisfies never;
  }
}

/** Quotes and comma, which even an empty text takes in an answer. */
const bytesAroundText = 3;

/** Bytes of all elements. A text counts as its characters, quotes and comma. */
export function countBytes(tensors: Tensors): number {
  let total = 0;
  for (const name in tensors) {
    const data = tensors[name]?.data ?? [];
    total += Array.isArray(data)
      ? data.reduce((sum, text) => sum + text.length + bytesAroundText, 0)
      : data.byteLength;
  }
  return total;
}

function readTexts(bytes: Buffer): string[] {
  const count = bytes.readUInt32LE(0);
  let at = 4 + 4 * count;
  return Array.from({ length: count }, (_unused, k) => {
    const start = at;
    at += bytes.readUInt32LE(4 + 4 * k);
    return bytes.toString('utf8', start, at);
  });
}
