import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';
import { graphLimits } from '../protobuf/limits.js';
import { delimited, ProtobufReader, varint } from '../protobuf/protobuf-reader.js';
import { readInts, readTexts } from '../protobuf/repeated-fields.js';
import { findOrigin, listOf } from './output-origin.js';

export type Classes = readonly string[] | readonly number[];

const attributes = ['classlabels_strings', 'classlabels_int64s', 'classlabels_ints'];
const maxClasses = 10_000;
/** Each may have long lists. A real model has one. */
const maxZipMaps = 16;

/**
 * The classes that a graph names for its label or probabilities, nearest to its end first: in the ZipMap, in the lookup
 * of the label, or in the operator behind an output (a classifier, or `ArrayFeatureExtractor` in skl2onnx). Inner
 * classifiers, as in a one-versus-rest, have other classes. `columns` is the declared width of the probabilities.
 */
export function findClasses(
  graph: ModelGraph,
  model: Uint8Array,
  outputs: readonly string[],
  columns?: number,
): Classes | undefined {
  const zipMaps = outputs.map((output) => graph.zipMaps?.get(output)?.classes);
  const origins = outputs.map((output) => findOrigin(graph, output).node);
  const lookedUp = outputs.map((output) => findLookedUp(graph, output));
  const others = [...(graph.zipMaps?.values() ?? [])].slice(0, maxZipMaps).map(({ classes }) => classes);
  return [...zipMaps, ...lookedUp, ...origins.map((node) => node && classesOf(node, model)), ...others].find(
    (classes) => classes !== undefined && classes.length > 0 && isSound(classes, columns),
  );
}

export function findMadeClasses(graph: ModelGraph, model: Uint8Array, output: string): Classes | undefined {
  const { node } = findOrigin(graph, output);
  return node && classesOf(node, model);
}

/** ML.NET ends in a `LabelEncoder` from the place of a class, counted from 1, to its name. */
function findLookedUp(graph: ModelGraph, output: string): Classes | undefined {
  let value = output;
  for (let step = 0; step < 8; step += 1) {
    const node = graph.producers.get(value);
    if (node?.opType === 'LabelEncoder') {
      const keys = listOf(node.attributes.get('keys_int64s')).map(Number);
      const texts = listOf(node.attributes.get('values_strings')).map(String);
      const values = texts.length > 0 ? texts : listOf(node.attributes.get('values_int64s')).map(Number);
      return keys.length === values.length ? inOrder(keys, values) : undefined;
    }
    if (node?.opType === 'Gather') return graph.initializers.get(node.inputs[0] ?? '')?.readIntegers();
    if (node === undefined || !/^(Identity|Reshape|Squeeze|Flatten|Unsqueeze)$/.test(node.opType))
      return undefined;
    value = node.inputs[0] ?? '';
  }
  return undefined;
}

/** The values in the order of their keys; undefined unless the keys count up from 0 or 1. */
function inOrder(keys: readonly number[], values: Classes): Classes | undefined {
  if (keys.length > maxClasses) return undefined;
  const byKey = new Map(keys.map((key, k) => [key, values[k]]));
  const first = byKey.has(0) ? 0 : 1;
  const classes = keys.map((_, k) => byKey.get(first + k));
  // All of one type, since `values` is.
  return classes.every((it) => it !== undefined) ? (classes as Classes) : undefined;
}

function isSound(classes: Classes, columns: number | undefined): boolean {
  const fits = columns === undefined || Math.max(2, columns) === classes.length;
  return fits && new Set<string | number>(classes).size === classes.length;
}

function classesOf(node: GraphNode, model: Uint8Array): Classes | undefined {
  if (node.opType === 'ArrayFeatureExtractor') return readConstant(model, node.inputs[0] ?? '');
  const lists = attributes.map((name) => listOf(node.attributes.get(name)));
  return lists.find((list) => list.length > 0) as Classes | undefined;
}

/** Reads a short constant of texts or integers, in the forms that exporters use for lists of classes. */
function readConstant(model: Uint8Array, wanted: string): Classes | undefined {
  const reader = ProtobufReader.of(model);
  while (reader.next()) {
    if (reader.tag !== delimited(7)) continue;
    const graph = reader.message();
    while (graph.next()) {
      if (graph.tag !== delimited(5)) continue;
      const tensor = graph.message();
      const { name, type } = readHead(tensor.again());
      if (name !== wanted) continue;
      const size = readInts(tensor.again(), 1, graphLimits.dimensions).reduce(
        (product, dim) => product * dim,
        1,
      );
      if (size > maxClasses) return undefined;
      // TensorProto: string_data, int64_data, int32_data, raw_data.
      const texts = readTexts(tensor.again(), 6, maxClasses);
      if (texts.length > 0) return texts;
      const numbers = [
        ...readInts(tensor.again(), 7, maxClasses),
        ...readInts(tensor.again(), 5, maxClasses),
      ];
      return numbers.length > 0 ? numbers : readRaw(tensor.again(), type);
    }
  }
  return undefined;
}

function readHead(tensor: ProtobufReader): { name: string; type: number } {
  const head = { name: '', type: 0 };
  while (tensor.next()) {
    if (tensor.tag === delimited(8)) head.name = tensor.text();
    if (tensor.tag === varint(2)) head.type = tensor.enum();
  }
  return head;
}

/** Raw int32 (6) or int64 (7) numbers. */
function readRaw(tensor: ProtobufReader, type: number): readonly number[] | undefined {
  const width = type === 7 ? 8 : 4;
  while (tensor.next()) {
    if (tensor.tag !== delimited(9)) continue;
    const { bytes, start, end } = tensor.span;
    const size = (end - start) / width;
    if ((type !== 6 && type !== 7) || !Number.isInteger(size) || size === 0 || size > maxClasses)
      return undefined;
    return Array.from({ length: size }, (_, k) =>
      width === 8 ? Number(bytes.readBigInt64LE(start + k * width)) : bytes.readInt32LE(start + k * width),
    );
  }
  return undefined;
}
