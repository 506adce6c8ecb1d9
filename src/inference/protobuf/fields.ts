import { int64At, varintEnd } from './varint.js';

/** A field of a protobuf message. Its tag begins at `start`, its content is [content, end). */
export interface Field {
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** The fields of the message in [start, limit), which `ProtobufReader` must have checked. Throws `ProtobufError`. */
export function* fieldsOf(bytes: Uint8Array, start: number, limit: number): Generator<Field> {
  for (let at = start; at < limit; ) {
    const tagEnd = varintEnd(bytes, at, limit);
    const tag = int64At(bytes, at);
    let content = tagEnd;
    let end = tagEnd;
    switch (tag & 7) {
      case 0:
        end = varintEnd(bytes, tagEnd, limit);
        break;
      case 1:
        end = tagEnd + 8;
        break;
      case 2:
        content = varintEnd(bytes, tagEnd, limit);
        end = content + int64At(bytes, tagEnd);
        break;
      default:
        end = tagEnd + 4;
    }
    yield { tag, start: at, content, end };
    at = end;
  }
}

/** `value` must not be negative. */
export function varintField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varintOf(field * 8), ...varintOf(value)]);
}

export function delimitedField(field: number, content: string | readonly Uint8Array[]): Uint8Array {
  const parts = typeof content === 'string' ? [Buffer.from(content)] : content;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Uint8Array.from([...varintOf(field * 8 + 2), ...varintOf(length)]), ...parts]);
}

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}
