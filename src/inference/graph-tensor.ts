import { toElementType } from './graph-value.js';
import { delimited, type ProtobufReader, varint } from './protobuf.js';

export interface GraphTensor {
  readonly name: string;
  readonly dataType: string;
  readonly readDims: () => readonly number[];
}

/**
 * A TensorProto, without its content. A file that it names counts also where the flag that makes it external is
 * missing: such a model is odd enough to be asked about.
 */
export function readTensor(reader: ProtobufReader, files: Set<string>): GraphTensor {
  let name = '';
  let dataType = toElementType(0);
  while (reader.next()) {
    if (reader.tag === delimited(8)) name = reader.text();
    if (reader.tag === varint(2)) dataType = toElementType(reader.enum());
    if (reader.tag !== delimited(13)) continue;
    const [key, value] = readPair(reader.message());
    if (key === 'location') files.add(value);
  }
  return { name, dataType, readDims: () => reader.again().ints(1) };
}

/** Its name is that of its values. */
export function readSparseTensor(reader: ProtobufReader, files: Set<string>): string {
  let name = '';
  while (reader.next()) {
    if (reader.tag === delimited(1)) name = readTensor(reader.message(), files).name;
    if (reader.tag === delimited(2)) readTensor(reader.message(), files);
  }
  return name;
}

/** A StringStringEntryProto. */
export function readPair(reader: ProtobufReader): [key: string, value: string] {
  const pair: [string, string] = ['', ''];
  while (reader.next()) {
    if (reader.tag === delimited(1)) pair[0] = reader.text();
    if (reader.tag === delimited(2)) pair[1] = reader.text();
  }
  return pair;
}
