/** Writes Protobuf: each function returns the bytes of one field. Independent of ONNX. */

type Integer = number | bigint | boolean;

/** The shortest varint; negative numbers take ten bytes, as int64 does. */
export function varint(value: Integer): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

const tag = (field: number, wire: 0 | 1 | 2 | 5) => varint(field * 8 + wire);

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const integer = (field: number, value: Integer): Uint8Array =>
  Uint8Array.from([...tag(field, 0), ...varint(value)]);

export function float(field: number, value: number): Uint8Array {
  return floats(field, [value]);
}

/** A length-delimited field: a message made of its fields, or bytes as they are. */
export function message(field: number, parts: Uint8Array | readonly Uint8Array[]): Uint8Array {
  const body = parts instanceof Uint8Array ? [parts] : parts;
  const length = body.reduce((size, part) => size + part.length, 0);
  return join([Uint8Array.from([...tag(field, 2), ...varint(length)]), ...body]);
}

export const text = (field: number, value: string): Uint8Array => message(field, Buffer.from(value));

/** Lists are written with one field per element, not packed, as exporters do: their schema is proto2. */
export function integers(field: number, values: Iterable<number | bigint>): Uint8Array {
  const head = tag(field, 0);
  const bytes: number[] = [];
  for (const value of values) bytes.push(...head, ...varint(value));
  return Uint8Array.from(bytes);
}

export function floats(field: number, values: ArrayLike<number>): Uint8Array {
  const head = tag(field, 5);
  const step = head.length + 4;
  const bytes = new Uint8Array(values.length * step);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    bytes.set(head, i * step);
    view.setFloat32(i * step + head.length, values[i] ?? 0, true);
  }
  return bytes;
}

export const texts = (field: number, values: Iterable<string>): Uint8Array =>
  join(Array.from(values, (value) => text(field, value)));
