import { counted, graphLimits } from '../protobuf/limits.js';
import { delimited, LimitError, type ProtobufReader, varint } from '../protobuf/protobuf-reader.js';

export type GraphDimension = number | string | undefined;

export interface GraphType {
  readonly kind: 'tensor' | 'sparse' | 'sequence' | 'map' | 'optional' | 'opaque' | 'unknown';
  /** Of a tensor: ONNX's name (`float32`, `string`, `float8e4m3fn`), or `unknown (99)` for an unknown number. */
  readonly elementType?: string;
  /** Of a tensor: absent if the rank is unknown, `[]` for a scalar. */
  readonly shape?: readonly GraphDimension[];
  /** The type within a sequence or an optional, or of a map's values. */
  readonly element?: GraphType;
  readonly keyType?: string;
}

export interface GraphValue extends GraphType {
  readonly name: string;
}

/** TensorProto.DataType, by number. */
const ELEMENT_TYPES =
  'undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2'.split(
    ' ',
  );

export const toElementType = (code: number): string => ELEMENT_TYPES[code] ?? `unknown (${code})`;

/** A type in words: `float32`, `sequence of map of int64 to float32`. */
export function describeType({ kind, elementType, element, keyType }: GraphType): string {
  if (kind === 'tensor') return elementType ?? 'unknown';
  if (kind === 'sparse') return `sparse ${elementType}`;
  if (kind === 'map') return `map of ${keyType} to ${element ? describeType(element) : 'unknown'}`;
  return element === undefined ? kind : `${kind} of ${describeType(element)}`;
}

/** A ValueInfoProto. */
export function readValue(reader: ProtobufReader): GraphValue {
  let name = '';
  let type: GraphType = { kind: 'unknown' };
  while (reader.next()) {
    if (reader.tag === delimited(1)) name = reader.text();
    if (reader.tag === delimited(2)) type = readType(reader.message());
  }
  return { name, ...type };
}

/** A TypeProto. */
function readType(reader: ProtobufReader): GraphType {
  let type: GraphType = { kind: 'unknown' };
  while (reader.next()) {
    switch (reader.tag) {
      case delimited(1):
        type = readTensorType('tensor', reader.message());
        break;
      case delimited(4):
        type = readHolder('sequence', reader.message());
        break;
      case delimited(5):
        type = readMap(reader.message());
        break;
      case delimited(7):
        type = { kind: 'opaque' };
        break;
      case delimited(8):
        type = readTensorType('sparse', reader.message());
        break;
      case delimited(9):
        type = readHolder('optional', reader.message());
        break;
    }
  }
  return type;
}

function readTensorType(kind: 'tensor' | 'sparse', reader: ProtobufReader): GraphType {
  let elementType = toElementType(0);
  let shape: GraphDimension[] | undefined;
  while (reader.next()) {
    if (reader.tag === varint(1)) elementType = toElementType(reader.enum());
    // A message in two pieces has the fields of both.
    if (reader.tag === delimited(2)) shape = readShape(reader.message(), shape);
  }
  return { kind, elementType, ...(shape && { shape }) };
}

function readShape(reader: ProtobufReader, shape: GraphDimension[] = []): GraphDimension[] {
  while (reader.next()) {
    if (reader.tag !== delimited(1)) continue;
    shape.push(readDimension(reader.message()));
    if (shape.length > graphLimits.dimensions) {
      throw new LimitError(`has a value of over ${counted(graphLimits.dimensions)} dimensions`);
    }
  }
  return shape;
}

/** Some exporters write a negative size or an empty name for an unknown dimension. */
function readDimension(reader: ProtobufReader): GraphDimension {
  let size: GraphDimension;
  while (reader.next()) {
    if (reader.tag === varint(1)) size = reader.int() < 0 ? undefined : reader.int();
    if (reader.tag === delimited(2)) size = reader.text() || undefined;
  }
  return size;
}

function readHolder(kind: 'sequence' | 'optional', reader: ProtobufReader): GraphType {
  let element: GraphType = { kind: 'unknown' };
  while (reader.next()) if (reader.tag === delimited(1)) element = readType(reader.message());
  return { kind, element };
}

function readMap(reader: ProtobufReader): GraphType {
  let keyType = toElementType(0);
  let element: GraphType = { kind: 'unknown' };
  while (reader.next()) {
    if (reader.tag === varint(1)) keyType = toElementType(reader.enum());
    if (reader.tag === delimited(2)) element = readType(reader.message());
  }
  return { kind: 'map', keyType, element };
}
