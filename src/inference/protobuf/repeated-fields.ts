import { counted, graphLimits } from './limits.js';
import {
  countPacked,
  type FlagList,
  type Int32List,
  putFlag,
  putInt32,
  readFlagRun,
  readInt32Run,
} from './packed-run.js';
import {
  delimited,
  fixed32,
  LimitError,
  ProtobufError,
  type ProtobufReader,
  varint,
} from './protobuf-reader.js';
import { int64At, varintEnd } from './varint.js';

/**
 * The repeated fields of a message, packed or not, as lists. Each call takes a reader before its first field, counts
 * the elements before it makes room for them, and throws `ProtobufError` where there are more than `most`.
 */

/** How many numbers or texts a list has. Costs a few nanoseconds an element. */
export function countList(
  reader: ProtobufReader,
  field: number,
  kind: 'ints' | 'floats' | 'texts',
  most: number = graphLimits.listElements,
): number {
  const unpacked = { ints: varint, floats: fixed32, texts: delimited }[kind](field);
  let count = 0;
  while (reader.next()) {
    if (reader.tag === unpacked) count += 1 + reader.skipAlike();
    else if (reader.tag !== delimited(field)) continue;
    else if (kind === 'floats') count += floatsIn(reader);
    else {
      const { bytes, start, end } = reader.span;
      if (end - start > graphLimits.listBytes) throw tooLong(most);
      count += countPacked(bytes, start, end, most);
    }
    if (count > most) throw tooLong(most);
  }
  return count;
}

/** Numbers as int64, rounded beyond ±2^53. */
export function readInts(
  reader: ProtobufReader,
  field: number,
  most: number = graphLimits.readElements,
): number[] {
  countList(reader.again(), field, 'ints', most);
  const values: number[] = [];
  while (reader.next()) {
    if (reader.tag === varint(field)) values.push(reader.int());
    if (reader.tag !== delimited(field)) continue;
    const { bytes, start, end } = reader.span;
    for (let at = start; at < end; at = varintEnd(bytes, at, end)) values.push(int64At(bytes, at));
  }
  return values;
}

/** Numbers as int32; what is none becomes the lowest of them. */
export function readInt32s(reader: ProtobufReader, field: number, most: number): Int32Array {
  const into: Int32List = {
    values: new Int32Array(countList(reader.again(), field, 'ints', most)),
    size: 0,
  };
  while (reader.next()) {
    const { bytes, start, end } = reader.span;
    if (reader.tag === varint(field)) {
      putInt32(bytes, start, into);
      reader.passRun((all, from, limit, tag) => readInt32Run(all, from, limit, tag, into));
    }
    if (reader.tag !== delimited(field)) continue;
    for (let at = start; at < end; at = varintEnd(bytes, at, end)) putInt32(bytes, at, into);
  }
  return into.values;
}

export function readFloats(reader: ProtobufReader, field: number): number[] {
  countList(reader.again(), field, 'floats', graphLimits.readElements);
  const values: number[] = [];
  while (reader.next()) {
    if (reader.tag === fixed32(field)) values.push(reader.float());
    if (reader.tag !== delimited(field)) continue;
    const { bytes, start, end } = reader.span;
    for (let at = start; at < end; at += 4) values.push(bytes.readFloatLE(at));
  }
  return values;
}

/** Texts, of which each may be as long as a name. */
export function readTexts(
  reader: ProtobufReader,
  field: number,
  most: number = graphLimits.readElements,
): string[] {
  countList(reader.again(), field, 'texts', most);
  const values: string[] = [];
  let bytesTaken = 0;
  while (reader.next()) {
    if (reader.tag !== delimited(field)) continue;
    const { bytes, start, end } = reader.span;
    bytesTaken += end - start;
    if (bytesTaken > graphLimits.textBytes) {
      throw new LimitError(`has a list of texts of over ${counted(graphLimits.textBytes)} bytes`);
    }
    values.push(bytes.toString('utf8', start, end));
  }
  return values;
}

/** For each text of a list 1 where it is `wanted`, else 0: no text is made. */
export function readMatches(reader: ProtobufReader, field: number, wanted: string, most: number): Uint8Array {
  const sought = Buffer.from(wanted);
  const into: FlagList = {
    values: new Uint8Array(countList(reader.again(), field, 'texts', most)),
    size: 0,
  };
  while (reader.next()) {
    if (reader.tag !== delimited(field)) continue;
    const { bytes, start, end } = reader.span;
    putFlag(bytes, start, end, sought, into);
    reader.passRun((all, from, limit, tag) => readFlagRun(all, from, limit, tag, sought, into));
  }
  return into.values;
}

function floatsIn(reader: ProtobufReader): number {
  const { start, end } = reader.span;
  if ((end - start) % 4 !== 0)
    throw new ProtobufError(`has a list of numbers that ends early at byte ${end}`);
  return (end - start) / 4;
}

const tooLong = (most: number) => new LimitError(`has a list of over ${counted(most)} elements`);
