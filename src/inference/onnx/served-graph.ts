import { delimitedField, type Field, fieldsOf, varintField } from '../protobuf/fields.js';
import { delimited } from '../protobuf/protobuf-reader.js';
import { type GraphNode, type ModelGraph, readGraph, readGraphInSlices, type ZipMap } from './read-graph.js';

/** The bytes that the engine is given, and the graph in them. */
export interface ServedGraph {
  readonly model: Buffer;
  readonly graph: ModelGraph;
}

/** What IR version 3, the oldest that can name operator sets, was published with: `Identity` is the same in all. */
const oldestOpset = 8;
const float32 = 1;
/** The fields of what stands in for a ZipMap: its operator (4), and of `Cast` the attribute `to` (5). */
const identityNode = [delimitedField(4, 'Identity')];
const castNode = [
  delimitedField(4, 'Cast'),
  delimitedField(5, [delimitedField(1, 'to'), varintField(3, float32), varintField(20, 2)]),
];
const classAttributes = ['classlabels_strings', 'classlabels_int64s'];

/**
 * Reads a model as it is served. A ZipMap makes a sequence of maps, which the engine's binding cannot give: where it
 * ends the graph, an `Identity` (after float64, a `Cast`) stands in its place, so that the same output holds the tensor
 * that goes into it, and `graph.zipMaps` has the names of its columns. Every other byte is as it was, and without such
 * a ZipMap so are all of them. Throws `GraphError`.
 */
export function readServedGraph(bytes: Uint8Array): ServedGraph {
  const graph = readGraph(bytes);
  const zipMaps = findZipMaps(graph);
  if (zipMaps.size === 0) return { model: bufferOf(bytes), graph };
  const model = replaceZipMaps(bufferOf(bytes), graph, zipMaps);
  return { model, graph: { ...readGraph(model), zipMaps } };
}

/** The same, on a thread that serves others meanwhile. */
export async function readServedGraphInSlices(bytes: Uint8Array): Promise<ServedGraph> {
  const graph = await readGraphInSlices(bytes);
  const zipMaps = findZipMaps(graph);
  if (zipMaps.size === 0) return { model: bufferOf(bytes), graph };
  const model = replaceZipMaps(bufferOf(bytes), graph, zipMaps);
  return { model, graph: { ...(await readGraphInSlices(model)), zipMaps } };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function replaceZipMaps(bytes: Buffer, graph: ModelGraph, zipMaps: ReadonlyMap<string, ZipMap>): Buffer {
  const parts: Uint8Array[] = [];
  // What a ZipMap gives is float32, and a graph of float64 may end in a tensor that is not.
  const stand = graph.inputs.some(({ elementType }) => elementType === 'float64') ? castNode : identityNode;
  for (const field of fieldsOf(bytes, 0, bytes.length)) {
    if (field.tag === delimited(7)) parts.push(delimitedField(7, rewriteGraph(bytes, field, zipMaps, stand)));
    else parts.push(bytes.subarray(field.start, field.end));
  }
  const knowsIdentity = graph.opsets.some(({ domain }) => domain === '');
  // The engine would take its newest operators for a domain that is not named.
  if (!knowsIdentity) parts.push(delimitedField(8, [delimitedField(1, ''), varintField(2, oldestOpset)]));
  return Buffer.concat(parts);
}

/**
 * What is wrong with a ZipMap that is still there: no operator of the engine takes what it makes (onnxruntime 1.30
 * refuses the graph), and what stands in its place would be taken for something else.
 */
export function findZipMapFault(graph: ModelGraph): string | undefined {
  const zips = graph.nodes.filter(isZipMap);
  const users = [...graph.nodes, ...graph.nestedNodes];
  for (const { outputs, name } of zips) {
    const user = users.find(({ inputs }) => inputs.includes(outputs[0] ?? ''));
    if (user === undefined) continue;
    return (
      `the maps that the ZipMap ${JSON.stringify(name)} makes go into a ${user.opType}, and only as an output of the graph can they be served: ` +
      "export without ZipMap, with options={id(model): {'zipmap': False}} in skl2onnx or zipmap=False in onnxmltools"
    );
  }
  return undefined;
}

function isZipMap({ opType, domain }: GraphNode): boolean {
  return opType === 'ZipMap' && domain === 'ai.onnx.ml';
}

/** The ZipMaps that end the graph, by their outputs: nothing else in the graph takes what they make. */
function findZipMaps(graph: ModelGraph): ReadonlyMap<string, ZipMap> {
  const zips = graph.nodes.filter(isZipMap);
  if (zips.length === 0) return new Map();
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const taken = new Set([...graph.nodes, ...graph.nestedNodes].flatMap(({ inputs }) => inputs));
  return new Map(
    zips.flatMap((node) => {
      const [output = ''] = node.outputs;
      const [input = ''] = node.inputs;
      if (!outputs.has(output) || taken.has(output) || input === '') return [];
      return [[output, { input, classes: classesOf(node) }] as const];
    }),
  );
}

/** The names of the columns; empty where the node has none, or both kinds. */
function classesOf(node: GraphNode): ZipMap['classes'] {
  const lists = classAttributes
    .map((name) => node.attributes.get(name))
    .map((value) => (value?.kind === 'strings' || value?.kind === 'ints' ? value.read() : []))
    .filter((list) => list.length > 0);
  return lists.length === 1 ? (lists[0] as ZipMap['classes']) : [];
}

/** The fields of a GraphProto, with its nodes (1), its outputs (12) and what is said of values (13) rewritten. */
function rewriteGraph(
  bytes: Buffer,
  { content, end }: Field,
  zipMaps: ReadonlyMap<string, ZipMap>,
  stand: readonly Uint8Array[],
): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  // What stands between two changes is copied in one piece: a graph may have a million fields.
  let from = content;
  for (const field of fieldsOf(bytes, content, end)) {
    const changed = rewriteField(bytes, field, zipMaps, stand);
    if (changed === undefined) continue;
    parts.push(bytes.subarray(from, field.start), changed);
    from = field.end;
  }
  parts.push(bytes.subarray(from, end));
  return parts;
}

function rewriteField(
  bytes: Buffer,
  field: Field,
  zipMaps: ReadonlyMap<string, ZipMap>,
  stand: readonly Uint8Array[],
): Uint8Array | undefined {
  switch (field.tag) {
    case delimited(1):
      return rewriteNode(bytes, field, zipMaps, stand);
    case delimited(12):
    case delimited(13): {
      const name = lastText(bytes, field, 1);
      const zipMap = zipMaps.get(name);
      return zipMap && delimitedField(field.tag >>> 3, [delimitedField(1, name), tensorType(zipMap)]);
    }
    default:
      return undefined;
  }
}

/** A NodeProto: all but its operator (4), attributes (5) and domain (7) stays. */
function rewriteNode(
  bytes: Buffer,
  field: Field,
  zipMaps: ReadonlyMap<string, ZipMap>,
  stand: readonly Uint8Array[],
): Uint8Array | undefined {
  const isWanted = lastText(bytes, field, 4) === 'ZipMap' && zipMaps.has(lastText(bytes, field, 2));
  if (!isWanted) return undefined;
  const kept = [...fieldsOf(bytes, field.content, field.end)]
    .filter(({ tag }) => ![delimited(4), delimited(5), delimited(7)].includes(tag))
    .map(({ start, end }) => bytes.subarray(start, end));
  return delimitedField(1, [...kept, ...stand]);
}

/** The TypeProto of a ValueInfoProto: float32 [?, C], which is what a ZipMap takes. */
function tensorType({ classes }: ZipMap): Uint8Array {
  const columns = classes.length === 0 ? [] : [varintField(1, classes.length)];
  const shape = [delimitedField(1, []), delimitedField(1, columns)];
  return delimitedField(2, [delimitedField(1, [varintField(1, float32), delimitedField(2, shape)])]);
}

/** The last text of a field counts, as everywhere in protobuf. */
function lastText(bytes: Buffer, message: Field, field: number): string {
  let text = '';
  for (const { tag, content, end } of fieldsOf(bytes, message.content, message.end)) {
    if (tag === delimited(field)) text = bytes.toString('utf8', content, end);
  }
  return text;
}
