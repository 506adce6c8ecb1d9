import { join, varint } from '../../helpers/onnx/wire.js';

/** A field of a message. Its value is a list of fields if the bytes parse as a message. */
interface Field {
  number: number;
  wire: number;
  value: bigint | Uint8Array | Field[];
}

/**
 * Applies `times` random changes to a protobuf message. They follow its structure, so that the result still parses:
 * fields are swapped, doubled, deleted, renumbered or moved; numbers and bytes are changed.
 */
export function mutate(bytes: Uint8Array, random: () => number, times: number): Uint8Array {
  const message = read(bytes);
  if (message === undefined) throw new Error('not a message');
  for (let k = 0; k < times; k += 1) change(message, random);
  return write(message);
}

const numbers = [0n, 1n, 2n, 3n, 7n, 8n, 11n, 16n, 127n, 1n << 16n, 1n << 31n, 1n << 40n, (1n << 63n) - 1n];

function change(message: Field[], random: () => number): void {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const lists = listsOf(message);
  const list = pick(lists);
  const at = Math.floor(random() * list.length);
  const field = list[at] as Field;
  const other = Math.floor(random() * list.length);
  switch (Math.floor(random() * 7)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      list.splice(other, 0, structuredClone(field));
      return;
    case 2:
      [list[at], list[other]] = [list[other] as Field, field];
      return;
    case 3:
      pick(lists).push(structuredClone(field));
      return;
    case 4:
      field.number = 1 + Math.floor(random() * 22);
      return;
    default:
      changeValue(field, pick, random);
  }
}

function changeValue(field: Field, pick: <T>(items: readonly T[]) => T, random: () => number): void {
  if (typeof field.value === 'bigint') {
    const step = BigInt(Math.floor(random() * 3) - 1);
    const number = random() < 0.5 ? BigInt.asUintN(64, field.value + step) : pick(numbers);
    field.value = random() < 0.1 ? BigInt.asUintN(64, -number) : number;
  } else if (field.value instanceof Uint8Array) {
    if (field.value.length === 0 || (random() < 0.2 && field.wire === 2)) {
      field.value = field.wire === 2 ? new Uint8Array(Math.floor(random() * 16)) : field.value;
      return;
    }
    field.value = field.value.slice();
    field.value[Math.floor(random() * field.value.length)] = Math.floor(random() * 256);
  } else change(field.value.length > 0 ? field.value : [field], random);
}

function listsOf(message: Field[]): Field[][] {
  const nested = message.flatMap(({ value }) => (Array.isArray(value) ? listsOf(value) : []));
  return message.length > 0 ? [message, ...nested] : nested;
}

/** Returns undefined if the bytes are not a message, but a text or packed numbers. */
function read(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < bytes.length; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = readVarint();
    if (tag === undefined) return undefined;
    const number = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (number === 0 || number > 100) return undefined;
    if (wire === 0) {
      const value = readVarint();
      if (value === undefined) return undefined;
      fields.push({ number, wire, value });
      continue;
    }
    const size = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? Number(readVarint() ?? -1) : -1;
    if (size < 0 || at + size > bytes.length) return undefined;
    const part = bytes.slice(at, at + size);
    at += size;
    fields.push({ number, wire, value: (wire === 2 && size > 1 && read(part)) || part });
  }
  return fields;
}

function write(fields: readonly Field[]): Uint8Array {
  return join(
    fields.flatMap(({ number, wire, value }) => {
      const tag = Uint8Array.from(varint(number * 8 + wire));
      if (typeof value === 'bigint') return [tag, Uint8Array.from(varint(value))];
      const bytes = Array.isArray(value) ? write(value) : value;
      return wire === 2 ? [tag, Uint8Array.from(varint(bytes.length)), bytes] : [tag, bytes];
    }),
  );
}
