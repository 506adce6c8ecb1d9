import { delimitedField, type Field, fieldsOf, varintField } from '../protobuf/fields.js';
import { delimited } from '../protobuf/protobuf-reader.js';
import { type GraphNode, type ModelGraph, readGraph, readGraphInSlices, type ZipMap } from './read-graph.js';

export interface ServedGraph {
  readonly model: Buffer;
  readonly graph: ModelGraph;
}

/** The opset of IR version 3, the oldest that names operator sets. `Identity` is equal in all opsets. */
const oldestOpset = 8;
const float32 = 1;
/** The fields of the node that replaces a ZipMap: the operator (4), and for `Cast` the attribute `to` (5). */
const identityNode = [delimitedField(4, 'Identity')];
const castNode = [
  delimitedField(4, 'Cast'),
  delimitedField(5, [delimitedField(1, 'to'), varintField(3, float32), varintField(20, 2)]),
];
const classAttributes = ['classlabels_strings', 'classlabels_int64s'];

/**
 * Reads a model as it is served. The engine's binding cannot return the sequence of maps that a ZipMap makes. So an
 * `Identity` (in a float64 graph, a `Cast`) replaces a ZipMap at the end of the graph: the output of that name then
 * holds its input tensor, and `graph.zipMaps` has the names of the columns. All other bytes stay. Throws `GraphError`.
 */
export function readServedGraph(bytes: Uint8Array): ServedGraph {
  const graph = readGraph(bytes);
  const zipMaps = findZipMaps(graph);
  if (zipMaps.size === 0) return { model: bufferOf(bytes), graph };
  const model = replaceZipMaps(bufferOf(bytes), graph, zipMaps);
  return { model, graph: { ...readGraph(model), zipMaps } };
}

/** As `readServedGraph`, without blocking the thread. */
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
  // The output of a ZipMap is float32, but its input may be float64.
  const replacement = graph.inputs.some(({ elementType }) => elementType === 'float64')
    ? castNode
    : identityNode;
  for (const field of fieldsOf(bytes, 0, bytes.length)) {
    if (field.tag === delimited(7))
      parts.push(delimitedField(7, rewriteGraph(bytes, field, zipMaps, replacement)));
    else parts.push(bytes.subarray(field.start, field.end));
  }
  const knowsIdentity = graph.opsets.some(({ domain }) => domain === '');
  // Without the import, the engine would use its newest operators.
  if (!knowsIdentity) parts.push(delimitedField(8, [delimitedField(1, ''), varintField(2, oldestOpset)]));
  return Buffer.concat(parts);
}

/** The fault of a ZipMap that was not replaced: no operator of the engine takes its maps (onnxruntime 1.30). */
export function findZipMapFault(graph: ModelGraph): string | undefined {
  const zips = graph.nodes.filter(isZipMap);
  const users = [...graph.nodes, ...graph.nestedNodes];
  for (const { outputs, name } of zips) {
    const user = users.find(({ inputs }) => inputs.includes(outputs[0] ?? ''));
    if (user === undefined) continue;
    return (
      `the maps of the ZipMap ${JSON.stringify(name)} go into the operator ${user.opType}, but they can be served only as an output of the graph: ` +
      "export without ZipMap, with options={id(model): {'zipmap': False}} in skl2onnx or zipmap=False in onnxmltools"
    );
  }
  return undefined;
}

function isZipMap({ opType, domain }: GraphNode): boolean {
  return opType === 'ZipMap' && domain === 'ai.onnx.ml';
}

/** The ZipMaps whose maps are an output of the graph, and the input of no other node. By output. */
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

/** The names of the columns; empty if the node has none, or both kinds. */
function classesOf(node: GraphNode): ZipMap['classes'] {
  const lists = classAttributes
    .map((name) => node.attributes.get(name))
    .map((value) => (value?.kind === 'strings' || value?.kind === 'ints' ? value.read() : []))
    .filter((list) => list.length > 0);
  return lists.length === 1 ? (lists[0] as ZipMap['classes']) : [];
}

/** The fields of a GraphProto, with its nodes (1), outputs (12) and value infos (13) rewritten. */
function rewriteGraph(
  bytes: Buffer,
  { content, end }: Field,
  zipMaps: ReadonlyMap<string, ZipMap>,
  replacement: readonly Uint8Array[],
): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  // The fields between two changes are copied in one piece: a graph may have a million fields.
  let from = content;
  for (const field of fieldsOf(bytes, content, end)) {
    const changed = rewriteField(bytes, field, zipMaps, replacement);
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
  replacement: readonly Uint8Array[],
): Uint8Array | undefined {
  switch (field.tag) {
    case delimited(1):
      return rewriteNode(bytes, field, zipMaps, replacement);
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

/** A NodeProto: only its operator (4), attributes (5) and domain (7) are replaced. */
function rewriteNode(
  bytes: Buffer,
  field: Field,
  zipMaps: ReadonlyMap<string, ZipMap>,
  replacement: readonly Uint8Array[],
): Uint8Array | undefined {
  const isWanted = lastText(bytes, field, 4) === 'ZipMap' && zipMaps.has(lastText(bytes, field, 2));
  if (!isWanted) return undefined;
  const kept = [...fieldsOf(bytes, field.content, field.end)]
    .filter(({ tag }) => ![delimited(4), delimited(5), delimited(7)].includes(tag))
    .map(({ start, end }) => bytes.subarray(start, end));
  return delimitedField(1, [...kept, ...replacement]);
}

/** The TypeProto of a ValueInfoProto: float32 [?, C], the input of a ZipMap. */
function tensorType({ classes }: ZipMap): Uint8Array {
  const columns = classes.length === 0 ? [] : [varintField(1, classes.length)];
  const shape = [delimitedField(1, []), delimitedField(1, columns)];
  return delimitedField(2, [delimitedField(1, [varintField(1, float32), delimitedField(2, shape)])]);
}

/** In protobuf, the last text of a field counts. */
function lastText(bytes: Buffer, message: Field, field: number): string {
  let text = '';
  for (const { tag, content, end } of fieldsOf(bytes, message.content, message.end)) {
    if (tag === delimited(field)) text = bytes.toString('utf8', content, end);
  }
  return text;
}
