import { graphLimits } from '../protobuf/limits.js';
import { delimited, fixed32, type ProtobufReader, varint } from '../protobuf/protobuf-reader.js';
import {
  countList,
  readFloats,
  readInt32s,
  readInts,
  readMatches,
  readTexts,
} from '../protobuf/repeated-fields.js';
import { guarded } from './graph-error.js';
import type { Findings } from './node.js';
import { type GraphTensor, readSparseTensor, readTensor } from './tensor-info.js';
import { toElementType } from './value-type.js';

/**
 * The value of an attribute. Lists are decoded only by `read`, since a forest has lists of 100,000 numbers and more. It
 * throws `GraphError` for over a million elements. `count` is cheap.
 */
export type AttributeValue =
  | { readonly kind: 'float' | 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'floats'; readonly count: () => number; readonly read: () => readonly number[] }
  | {
      readonly kind: 'ints';
      readonly count: () => number;
      readonly read: () => readonly number[];
      /** For long lists. A number that is no int32 becomes the lowest int32. */
      readonly readInt32: (max: number) => Int32Array;
    }
  | {
      readonly kind: 'strings';
      readonly count: () => number;
      readonly read: () => readonly string[];
      readonly match: (wanted: string, max: number) => Uint8Array;
    }
  | {
      readonly kind: 'tensor';
      readonly dataType: string;
      readonly readDims: () => readonly number[];
      readonly readIntegers: () => readonly number[] | undefined;
    }
  /** Subgraphs, types, lists of tensors, and texts longer than a name: they are searched, but not kept. */
  | { readonly kind: 'other' };

/** AttributeProto.AttributeType, by number. */
const KINDS = ['', 'float', 'int', 'string', 'tensor', 'graph', 'floats', 'ints', 'strings'];

export function readAttribute(
  reader: ProtobufReader,
  found: Findings,
): [name: string, value: AttributeValue] {
  let name = '';
  let text: string | undefined = '';
  let [type, content, float, int] = [0, 0, 0, 0];
  let tensor: GraphTensor | undefined;
  while (reader.next()) {
    const { tag } = reader;
    const field = tag >>> 3;
    if (field >= 2 && field <= 11) content = field;
    if (field >= 7 && field <= 9) reader.skipAlike();
    else if (tag === delimited(1)) name = reader.text();
    else if (tag === fixed32(2)) float = reader.float();
    else if (tag === varint(3)) int = reader.int();
    else if (tag === delimited(4)) text = reader.length <= graphLimits.nameBytes ? reader.text() : undefined;
    else if (tag === delimited(5)) tensor = readTensor(reader.message(), found.files);
    else if (tag === delimited(10)) readTensor(reader.message(), found.files);
    else if (tag === delimited(6) || tag === delimited(11)) found.graphs.push(reader.message());
    else if (tag === delimited(22) || tag === delimited(23)) readSparseTensor(reader.message(), found.files);
    else if (tag === varint(20)) type = reader.enum();
  }
  // The oldest models omit the type. The fields 2 to 9 have the order of the types 1 to 8.
  switch (KINDS[type || content - 1]) {
    case 'float':
      return [name, { kind: 'float', value: float }];
    case 'int':
      return [name, { kind: 'int', value: int }];
    case 'string':
      return [name, text === undefined ? { kind: 'other' } : { kind: 'string', value: text }];
    case 'tensor':
      return [name, toTensorValue(tensor)];
    case 'floats':
      return [name, toFloats(reader)];
    case 'ints':
      return [name, toInts(reader)];
    case 'strings':
      return [name, toStrings(reader)];
    default:
      return [name, { kind: 'other' }];
  }
}

const toTensorValue = (tensor: GraphTensor | undefined): AttributeValue => ({
  kind: 'tensor',
  dataType: tensor?.dataType ?? toElementType(0),
  readDims: () => guarded(() => tensor?.readDims() ?? []),
  readIntegers: () => guarded(() => tensor?.readIntegers()),
});

const toFloats = (reader: ProtobufReader): AttributeValue => ({
  kind: 'floats',
  count: () => guarded(() => countList(reader.again(), 7, 'floats')),
  read: () => guarded(() => readFloats(reader.again(), 7)),
});

const toInts = (reader: ProtobufReader): AttributeValue => ({
  kind: 'ints',
  count: () => guarded(() => countList(reader.again(), 8, 'ints')),
  read: () => guarded(() => readInts(reader.again(), 8)),
  readInt32: (max) => guarded(() => readInt32s(reader.again(), 8, max)),
});

const toStrings = (reader: ProtobufReader): AttributeValue => ({
  kind: 'strings',
  count: () => guarded(() => countList(reader.again(), 9, 'texts')),
  read: () => guarded(() => readTexts(reader.again(), 9)),
  match: (wanted, max) => guarded(() => readMatches(reader.again(), 9, wanted, max)),
});
