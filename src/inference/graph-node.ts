import { type ExternalFiles, type GraphTensor, readSparseTensor, readTensor } from './graph-tensor.js';
import { type GraphValue, readValue, toElementType } from './graph-value.js';
import { delimited, fixed32, ProtobufError, type ProtobufReader, varint } from './protobuf.js';

/** What an operator is set to. Lists are decoded when read: those of a forest hold 100,000 numbers and more. */
export type AttributeValue =
  | { readonly kind: 'float' | 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'floats' | 'ints'; readonly read: () => readonly number[] }
  | { readonly kind: 'strings'; readonly read: () => readonly string[] }
  | {
      readonly kind: 'tensor';
      readonly dataType: string;
      readonly readDims: () => readonly number[];
      readonly readIntegers: () => readonly number[] | undefined;
    }
  /** Subgraphs, types, and lists of tensors: searched, not kept. */
  | { readonly kind: 'other' };

export interface GraphNode {
  readonly opType: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

/** Bytes that are no ONNX model. The message reads on from the file's name: `is not an ONNX model: …`. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}

/** Turns the fault that `read` finds in the bytes into one that names the model. */
export function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof ProtobufError)) throw cause;
    throw new GraphError(`is not an ONNX model: it ${cause.message}`, { cause });
  }
}

/** What a search through a whole model gathers along the way. */
export interface Findings {
  /** Of subgraphs, functions and training graphs. */
  readonly nested: GraphNode[];
  /** Files that tensors name as the place of their bytes. */
  readonly files: ExternalFiles;
  /** Functions that the model brings along, as `domain:name`. */
  readonly functions: Set<string>;
}

/** An initializer. Of a sparse one only the name is known. */
export type GraphConstant = Pick<GraphTensor, 'dataType' | 'readIntegers'>;

export interface GraphBody {
  readonly nodes: GraphNode[];
  readonly inputs: GraphValue[];
  readonly outputs: GraphValue[];
  readonly initializers: Map<string, GraphConstant>;
}

/** A GraphProto, added to `body`: a message in two pieces is one with the fields of both. */
export function readBody(reader: ProtobufReader, body: GraphBody, found: Findings): void {
  while (reader.next()) {
    switch (reader.tag) {
      case delimited(1):
        body.nodes.push(readNode(reader.message(), found));
        break;
      case delimited(5):
        addConstant(body, readTensor(reader.message(), found.files));
        break;
      case delimited(11):
        body.inputs.push(readValue(reader.message()));
        break;
      case delimited(12):
        body.outputs.push(readValue(reader.message()));
        break;
      case delimited(15):
        body.initializers.set(readSparseTensor(reader.message(), found.files), {
          dataType: 'sparse',
          readIntegers: () => undefined,
        });
        break;
    }
  }
}

const addConstant = (body: GraphBody, { name, dataType, readIntegers }: GraphTensor) =>
  body.initializers.set(name, { dataType, readIntegers: () => guarded(readIntegers) });

function searchGraph(reader: ProtobufReader, found: Findings): void {
  readBody(reader, { nodes: found.nested, inputs: [], outputs: [], initializers: new Map() }, found);
}

/** A TrainingInfoProto: the engine ignores it, and its tensors may still name files. */
export function searchTraining(reader: ProtobufReader, found: Findings): void {
  while (reader.next()) {
    if (reader.tag === delimited(1) || reader.tag === delimited(2)) searchGraph(reader.message(), found);
  }
}

/** A FunctionProto: its nodes, and the tensors among the defaults of its attributes. */
export function searchFunction(reader: ProtobufReader, found: Findings): void {
  const [names, domain] = [reader.again(), reader.again()];
  found.functions.add(`${toDomain(readText(domain, 10))}:${readText(names, 1)}`);
  while (reader.next()) {
    if (reader.tag === delimited(7)) found.nested.push(readNode(reader.message(), found));
    if (reader.tag === delimited(11)) readAttribute(reader.message(), found);
  }
}

/** The last text of a field, as protobuf takes a field that stands twice. */
function readText(reader: ProtobufReader, field: number): string {
  let text = '';
  while (reader.next()) if (reader.tag === delimited(field)) text = reader.text();
  return text;
}

const NONE: ReadonlyMap<string, AttributeValue> = new Map();

function readNode(reader: ProtobufReader, found: Findings): GraphNode {
  const texts = { name: '', opType: '', domain: '' };
  const inputs: string[] = [];
  const outputs: string[] = [];
  let attributes: Map<string, AttributeValue> | undefined;
  while (reader.next()) {
    switch (reader.tag) {
      case delimited(1):
        inputs.push(reader.text());
        break;
      case delimited(2):
        outputs.push(reader.text());
        break;
      case delimited(3):
        texts.name = reader.text();
        break;
      case delimited(4):
        texts.opType = reader.text();
        break;
      case delimited(5): {
        const [name, value] = readAttribute(reader.message(), found);
        // Which of the two would count is the engine's affair; it refuses them as well.
        attributes ??= new Map();
        if (attributes.has(name)) throw new ProtobufError(`has a node with two attributes ${name}`);
        attributes.set(name, value);
        break;
      }
      case delimited(7):
        texts.domain = reader.text();
        break;
    }
  }
  return { ...texts, domain: toDomain(texts.domain), inputs, outputs, attributes: attributes ?? NONE };
}

/** ONNX's own domain has two names. */
export const toDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

/** AttributeProto.AttributeType, by number. */
const KINDS = ['', 'float', 'int', 'string', 'tensor', 'graph', 'floats', 'ints', 'strings'];

function readAttribute(reader: ProtobufReader, found: Findings): [name: string, value: AttributeValue] {
  let [name, text] = ['', ''];
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
    else if (tag === delimited(4)) text = reader.text();
    else if (tag === delimited(5)) tensor = readTensor(reader.message(), found.files);
    else if (tag === delimited(10)) readTensor(reader.message(), found.files);
    else if (tag === delimited(6) || tag === delimited(11)) searchGraph(reader.message(), found);
    else if (tag === delimited(22) || tag === delimited(23)) readSparseTensor(reader.message(), found.files);
    else if (tag === varint(20)) type = reader.enum();
  }
  // The oldest models leave the type out; the fields 2 to 9 stand in the order of the types 1 to 8.
  switch (KINDS[type || content - 1]) {
    case 'float':
      return [name, { kind: 'float', value: float }];
    case 'int':
      return [name, { kind: 'int', value: int }];
    case 'string':
      return [name, { kind: 'string', value: text }];
    case 'tensor':
      return [name, toTensorValue(tensor)];
    case 'floats':
      return [name, { kind: 'floats', read: () => guarded(() => reader.again().floats(7)) }];
    case 'ints':
      return [name, { kind: 'ints', read: () => guarded(() => reader.again().ints(8)) }];
    case 'strings':
      return [name, { kind: 'strings', read: () => guarded(() => reader.again().texts(9)) }];
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
