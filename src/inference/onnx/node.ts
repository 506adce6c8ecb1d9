import type { Steps } from '../../time/slices.js';
import { counted, graphLimits } from '../protobuf/limits.js';
import { delimited, LimitError, ProtobufError, type ProtobufReader } from '../protobuf/protobuf-reader.js';
import { type AttributeValue, readAttribute } from './attribute.js';
import { guarded } from './graph-error.js';
import { type ExternalFiles, type GraphTensor, readSparseTensor, readTensor } from './tensor-info.js';
import { type GraphValue, readValue } from './value-type.js';

export interface GraphNode {
  readonly opType: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

export interface Findings {
  readonly nested: GraphNode[];
  readonly files: ExternalFiles;
  nodeCount: number;
  /** Subgraphs to be searched, one after the other instead of by recursion. */
  readonly graphs: ProtobufReader[];
  readonly functions: Set<string>;
}

/** An initializer. Only the name of a sparse one is known. */
export type GraphConstant = Pick<GraphTensor, 'dataType' | 'readIntegers'>;

export interface GraphBody {
  readonly nodes: GraphNode[];
  readonly inputs: GraphValue[];
  readonly outputs: GraphValue[];
  readonly initializers: Map<string, GraphConstant>;
}

/** Adds a GraphProto to `body`: a message in two pieces has the fields of both. */
export function* readBody(reader: ProtobufReader, body: GraphBody, found: Findings): Steps<void> {
  while (reader.next()) {
    reader.beginItem();
    switch (reader.tag) {
      case delimited(1):
        body.nodes.push(yield* readNode(reader.message(), found));
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
    yield;
  }
}

export function* searchGraphs(found: Findings): Steps<void> {
  // Inner subgraphs are added to the list meanwhile.
  for (const graph of found.graphs) {
    yield* readBody(graph, { nodes: found.nested, inputs: [], outputs: [], initializers: new Map() }, found);
  }
}

const addConstant = (body: GraphBody, { name, dataType, readIntegers }: GraphTensor) =>
  body.initializers.set(name, { dataType, readIntegers: () => guarded(readIntegers) });

/** A TrainingInfoProto. The engine ignores it, but its tensors may name files. */
export function* searchTraining(reader: ProtobufReader, found: Findings): Steps<void> {
  while (reader.next()) {
    reader.beginItem();
    if (reader.tag === delimited(1) || reader.tag === delimited(2)) found.graphs.push(reader.message());
    yield;
  }
}

/** A FunctionProto: its nodes, and the default values of its attributes. */
export function* searchFunction(reader: ProtobufReader, found: Findings): Steps<void> {
  const [names, domain] = [reader.again(), reader.again()];
  found.functions.add(`${toDomain(readText(domain, 10))}:${readText(names, 1)}`);
  while (reader.next()) {
    reader.beginItem();
    if (reader.tag === delimited(7)) found.nested.push(yield* readNode(reader.message(), found));
    if (reader.tag === delimited(11)) readAttribute(reader.message(), found);
    yield;
  }
}

/** Reads the last text of a field: protobuf ignores the earlier ones. */
function readText(reader: ProtobufReader, field: number): string {
  let text = '';
  while (reader.next()) if (reader.tag === delimited(field)) text = reader.text();
  return text;
}

const NONE: ReadonlyMap<string, AttributeValue> = new Map();

function* readNode(reader: ProtobufReader, found: Findings): Steps<GraphNode> {
  found.nodeCount += 1;
  if (found.nodeCount > graphLimits.nodes)
    throw new LimitError(`has over ${counted(graphLimits.nodes)} nodes`);
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
        reader.beginItem();
        const [name, value] = readAttribute(reader.message(), found);
        // The engine refuses such a node as well.
        attributes ??= new Map();
        if (attributes.has(name)) throw new ProtobufError(`has a node with two attributes ${name}`);
        attributes.set(name, value);
        yield;
        break;
      }
      case delimited(7):
        texts.domain = reader.text();
        break;
    }
  }
  return { ...texts, domain: toDomain(texts.domain), inputs, outputs, attributes: attributes ?? NONE };
}

export const toDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);
