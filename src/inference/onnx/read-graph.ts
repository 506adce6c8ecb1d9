import { runAtOnce, runInSlices, type Steps } from '../../time/slices.js';
import { counted, graphLimits } from '../protobuf/limits.js';
import { delimited, LimitError, ProtobufError, ProtobufReader, varint } from '../protobuf/protobuf-reader.js';
import { describeOtherFile } from './file-kind.js';
import { GraphError, guarded, toGraphError } from './graph-error.js';
import {
  type Findings,
  type GraphBody,
  type GraphConstant,
  type GraphNode,
  readBody,
  searchFunction,
  searchGraphs,
  searchTraining,
  toDomain,
} from './node.js';
import { type ExternalRange, readPair } from './tensor-info.js';
import type { GraphValue } from './value-type.js';

export type { AttributeValue } from './attribute.js';
export { GraphError } from './graph-error.js';
export type { GraphConstant, GraphNode } from './node.js';
export { describeType, type GraphValue } from './value-type.js';

/** A ZipMap at the end of the graph, which its input tensor has replaced. */
export interface ZipMap {
  readonly input: string;
  /** The names of its columns in order; empty if the ZipMap has none. */
  readonly classes: readonly string[] | readonly number[];
}

/** The structure of a model. It keeps the bytes of the file in memory, for the lists that are decoded later. */
export interface ModelGraph {
  readonly irVersion: number;
  readonly producer: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  /** The inputs that a caller must give, without the initializers among them. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly nodes: readonly GraphNode[];
  readonly producers: ReadonlyMap<string, GraphNode>;
  readonly initializers: ReadonlyMap<string, GraphConstant>;
  /** Functions of the model itself, as `domain:name`. The engine may use one instead of its own operator. */
  readonly functions: ReadonlySet<string>;
  /** The nodes of subgraphs, functions and training graphs, at any depth. */
  readonly nestedNodes: readonly GraphNode[];
  /** The operators of all nodes, including nested ones: `Gemm`, `ai.onnx.ml:Scaler`. */
  readonly opTypes: ReadonlySet<string>;
  /** The names of all files with external tensors. */
  readonly externalData: readonly string[];
  readonly externalFiles: ReadonlyMap<string, readonly ExternalRange[]>;
  readonly metadata: ReadonlyMap<string, string>;
  /** By output. Only `readServedGraph` sets it. */
  readonly zipMaps?: ReadonlyMap<string, ZipMap>;
}

/**
 * Reads the structure of a model without the engine, from untrusted bytes: 100,000 fields take a millisecond, weights
 * none. Throws `GraphError`, as does reading a list later. `graphLimits` are checked before anything costs memory.
 */
export function readGraph(bytes: Uint8Array): ModelGraph {
  return guarded(() => runAtOnce(readSteps(bytes)));
}

/** As `readGraph`, without blocking the thread. */
export async function readGraphInSlices(bytes: Uint8Array): Promise<ModelGraph> {
  return runInSlices(readSteps(bytes)).catch((error) => {
    throw toGraphError(error);
  });
}

function* readSteps(bytes: Uint8Array): Steps<ModelGraph> {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString(
    'latin1',
  );
  if (start === '') throw new GraphError('is empty');
  if (start.startsWith('version https://git-lfs')) {
    throw new GraphError('is a Git LFS pointer and not the model itself: fetch it with git lfs pull');
  }
  // The engine looks for this mark, so a file that is valid in both formats would run as a graph not read here.
  if (start.startsWith('ORTM', 4))
    throw new GraphError("is in the engine's own ORT format: export it as ONNX");
  try {
    return yield* readModel(ProtobufReader.of(bytes));
  } catch (cause) {
    const fault = toGraphError(cause);
    const other = fault instanceof GraphError ? describeOtherFile(bytes) : undefined;
    throw other === undefined ? fault : new GraphError(other, { cause: fault });
  }
}

function* readModel(reader: ProtobufReader): Steps<ModelGraph> {
  let irVersion: number | undefined;
  const producer = ['', ''];
  const opsets: { domain: string; version: number }[] = [];
  const metadata = new Map<string, string>();
  const found: Findings = { nested: [], files: new Map(), functions: new Set(), nodeCount: 0, graphs: [] };
  const body: GraphBody = { nodes: [], inputs: [], outputs: [], initializers: new Map() };
  let hasGraph = false;
  while (reader.next()) {
    reader.beginItem();
    switch (reader.tag) {
      case varint(1):
        irVersion = reader.int();
        break;
      case delimited(2):
      case delimited(3):
        producer[reader.tag === delimited(2) ? 0 : 1] = reader.text();
        break;
      case delimited(7):
        hasGraph = true;
        yield* readBody(reader.message(), body, found);
        break;
      case delimited(8):
        opsets.push(readOpset(reader.message()));
        break;
      case delimited(14): {
        const [key, value] = readPair(reader.message(), graphLimits.longTextBytes);
        metadata.set(key, value);
        break;
      }
      case delimited(20):
        yield* searchTraining(reader.message(), found);
        break;
      case delimited(25):
        yield* searchFunction(reader.message(), found);
        break;
    }
    yield;
  }
  yield* searchGraphs(found);
  if (irVersion === undefined) throw new ProtobufError('has no IR version');
  if (!hasGraph) throw new ProtobufError('has no graph');
  const inputs = body.inputs.filter(({ name }) => !body.initializers.has(name));
  for (const [values, what] of [
    [inputs, 'inputs'],
    [body.outputs, 'outputs'],
  ] as const) {
    if (values.length > graphLimits.values)
      throw new LimitError(`has over ${counted(graphLimits.values)} ${what}`);
  }
  return {
    irVersion,
    producer: producer.filter(Boolean).join(' '),
    opsets,
    inputs,
    outputs: body.outputs,
    nodes: body.nodes,
    producers: new Map(body.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const))),
    initializers: body.initializers,
    functions: found.functions,
    nestedNodes: found.nested,
    opTypes: new Set([...body.nodes, ...found.nested].map(toOperator)),
    externalData: [...found.files.keys()],
    externalFiles: found.files,
    metadata,
  };
}

const toOperator = ({ domain, opType }: GraphNode) => (domain === '' ? opType : `${domain}:${opType}`);

function readOpset(reader: ProtobufReader): { domain: string; version: number } {
  const opset = { domain: '', version: 0 };
  while (reader.next()) {
    if (reader.tag === delimited(1)) opset.domain = toDomain(reader.text());
    if (reader.tag === varint(2)) opset.version = reader.int();
  }
  return opset;
}
