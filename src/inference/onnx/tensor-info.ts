import { graphLimits } from '../protobuf/limits.js';
import { delimited, type ProtobufReader, varint } from '../protobuf/protobuf-reader.js';
import { countList, readInts } from '../protobuf/repeated-fields.js';
import { toElementType } from './value-type.js';

export interface GraphTensor {
  readonly name: string;
  readonly dataType: string;
  readonly readDims: () => readonly number[];
  /** The elements, if they are a few of int32, int64 or bool in the model file itself; otherwise undefined. */
  readonly readIntegers: () => readonly number[] | undefined;
}

/** Lists of axes, indices and sizes are shorter. */
const maxIntegers = 4_096;

/** The declared place of a tensor's bytes in a file. Without `length`, it follows from the tensor. */
export interface ExternalRange {
  readonly tensor: string;
  readonly offset: number;
  readonly length?: number;
}

export type ExternalFiles = Map<string, ExternalRange[]>;

/** A TensorProto without its content. A file that it names counts even without the flag that makes it external. */
export function readTensor(reader: ProtobufReader, files: ExternalFiles): GraphTensor {
  let name = '';
  let dataType = toElementType(0);
  const locations: string[] = [];
  const place = { offset: 0, length: Number.NaN };
  while (reader.next()) {
    const field = reader.tag >>> 3;
    // Content and shape are skipped, and elements written one by one are skipped together.
    if (field === 1 || (field >= 4 && field <= 7) || field === 10 || field === 11) reader.skipAlike();
    if (reader.tag === delimited(8)) name = reader.text();
    if (reader.tag === varint(2)) dataType = toElementType(reader.enum());
    if (reader.tag !== delimited(13)) continue;
    const [key, value] = readPair(reader.message());
    if (key === 'location') locations.push(value);
    // As in the engine, a text that is no number becomes NaN.
    if (key === 'offset' || key === 'length') place[key] = Number(value);
  }
  for (const location of locations) {
    const ranges = files.get(location) ?? [];
    const { offset, length } = place;
    ranges.push({ tensor: name, offset, ...(!Number.isNaN(length) && { length }) });
    files.set(location, ranges);
  }
  const isExternal = locations.length > 0;
  return {
    name,
    dataType,
    readDims: () => readInts(reader.again(), 1, graphLimits.dimensions),
    readIntegers: () => (isExternal ? undefined : readIntegers(reader.again(), dataType)),
  };
}

/** Reads the raw bytes, or the list of the type: int64_data or int32_data. */
function readIntegers(reader: ProtobufReader, dataType: string): readonly number[] | undefined {
  const width = { bool: 1, int32: 4, int64: 8 }[dataType];
  if (width === undefined) return undefined;
  let raw: Buffer | undefined;
  const lists = reader.again();
  while (reader.next()) if (reader.tag === delimited(9)) raw = reader.bytes();
  if (raw === undefined) {
    const field = width === 8 ? 7 : 5;
    if (countList(lists.again(), field, 'ints') > maxIntegers) return undefined;
    // As in protobuf and the engine, an int32 is the low 32 bits of the number.
    const values = readInts(lists, field, maxIntegers);
    return width === 8 ? values : values.map((value) => value | 0);
  }
  if (raw.length > maxIntegers * width) return undefined;
  const bytes = raw;
  return Array.from({ length: Math.floor(bytes.length / width) }, (_, place) => {
    if (width === 8) return Number(bytes.readBigInt64LE(place * 8));
    return width === 4 ? bytes.readInt32LE(place * 4) : (bytes[place] as number);
  });
}

/** The values have the name of the sparse tensor. */
export function readSparseTensor(reader: ProtobufReader, files: ExternalFiles): string {
  let name = '';
  while (reader.next()) {
    if (reader.tag === delimited(1)) name = readTensor(reader.message(), files).name;
    if (reader.tag === delimited(2)) readTensor(reader.message(), files);
  }
  return name;
}

/** A StringStringEntryProto. */
export function readPair(
  reader: ProtobufReader,
  max: number = graphLimits.nameBytes,
): [key: string, value: string] {
  const pair: [string, string] = ['', ''];
  while (reader.next()) {
    if (reader.tag === delimited(1)) pair[0] = reader.text();
    if (reader.tag === delimited(2)) pair[1] = reader.text(max);
  }
  return pair;
}
