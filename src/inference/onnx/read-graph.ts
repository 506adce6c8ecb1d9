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

/** A ZipMap that ended the graph, and gave way to the tensor that went into it. */
export interface ZipMap {
  /** The value that went into it. */
  readonly input: string;
  /** The names of its columns, in their order; empty where it does not say them. */
  readonly classes: readonly string[] | readonly number[];
}

/** Holds on to the bytes it was read from, for its attributes: let go of it when done. */
export interface ModelGraph {
  readonly irVersion: number;
  readonly producer: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  /** Those a caller must give: initializers that are listed as inputs too are left out. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly nodes: readonly GraphNode[];
  /** The nodes by the values that they make. */
  readonly producers: ReadonlyMap<string, GraphNode>;
  /** What the model holds itself, by name. */
  readonly initializers: ReadonlyMap<string, GraphConstant>;
  /** Functions that the model brings along, as `domain:name`: the engine may put one in the place of its own. */
  readonly functions: ReadonlySet<string>;
  /** The nodes of subgraphs, functions and training graphs, however deep. */
  readonly nestedNodes: readonly GraphNode[];
  /** Of all nodes, nested ones too: `Gemm`, `ai.onnx.ml:Scaler`. */
  readonly opTypes: ReadonlySet<string>;
  /** Each file that any tensor anywhere in the model names as the place of its bytes, once. */
  readonly externalData: readonly string[];
  /** The same files, with the range of each tensor in them. */
  readonly externalFiles: ReadonlyMap<string, readonly ExternalRange[]>;
  readonly metadata: ReadonlyMap<string, string>;
  /** By output; only of a graph that `readServedGraph` has read. */
  readonly zipMaps?: ReadonlyMap<string, ZipMap>;
}

/**
 * Reads the structure of an ONNX model without the engine, from bytes that are not trusted. Takes a millisecond
 * for each 100,000 fields; weights cost nothing. Throws `GraphError`, as does reading a list later; what goes beyond
 * `graphLimits` is refused before it costs memory.
 */
export function readGraph(bytes: Uint8Array): ModelGraph {
  return guarded(() => runAtOnce(readSteps(bytes)));
}

/** The same, on a thread that serves others meanwhile. */
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
  // The engine goes by this mark, so a file that is valid as both would run as what was not read here.
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
