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
 * The repeated fields of a message, packed or not. Each function takes a reader before its first field, counts the
 * elements before it allocates memory, and throws `ProtobufError` for more than `max` elements.
 */

/** Counts the elements of a list, in a few nanoseconds each. */
export function countList(
  reader: ProtobufReader,
  field: number,
  kind: 'ints' | 'floats' | 'texts',
  max: number = graphLimits.listElements,
): number {
  const unpacked = { ints: varint, floats: fixed32, texts: delimited }[kind](field);
  let count = 0;
  while (reader.next()) {
    if (reader.tag === unpacked) count += 1 + reader.skipAlike();
    else if (reader.tag !== delimited(field)) continue;
    else if (kind === 'floats') count += floatsIn(reader);
    else {
      const { bytes, start, end } = reader.span;
      if (end - start > graphLimits.listBytes) throw tooLong(max);
      count += countPacked(bytes, start, end, max);
    }
    if (count > max) throw tooLong(max);
  }
  return count;
}

/** Numbers are int64, rounded beyond ±2^53. */
export function readInts(
  reader: ProtobufReader,
  field: number,
  max: number = graphLimits.readElements,
): number[] {
  countList(reader.again(), field, 'ints', max);
  const values: number[] = [];
  while (reader.next()) {
    if (reader.tag === varint(field)) values.push(reader.int());
    if (reader.tag !== delimited(field)) continue;
    const { bytes, start, end } = reader.span;
    for (let at = start; at < end; at = varintEnd(bytes, at, end)) values.push(int64At(bytes, at));
  }
  return values;
}

export function readInt32s(reader: ProtobufReader, field: number, max: number): Int32Array {
  const into: Int32List = {
    values: new Int32Array(countList(reader.again(), field, 'ints', max)),
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

export function readTexts(
  reader: ProtobufReader,
  field: number,
  max: number = graphLimits.readElements,
): string[] {
  countList(reader.again(), field, 'texts', max);
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

/** 1 for each text equal to `wanted`, 0 for any other, without creating strings. */
export function readMatches(reader: ProtobufReader, field: number, wanted: string, max: number): Uint8Array {
  const sought = Buffer.from(wanted);
  const into: FlagList = {
    values: new Uint8Array(countList(reader.again(), field, 'texts', max)),
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

const tooLong = (max: number) => new LimitError(`has a list of over ${counted(max)} elements`);
