import { RefusedError } from '../../errors.js';
import { countOf, listOf } from '../../inference/analysis/output-origin.js';
import type { GraphNode, GraphValue, ModelGraph } from '../../inference/onnx/read-graph.js';
import { describeShape, isObject } from '../../text/describe-value.js';
import { type Feature, type ManifestFile, maxFeatures } from '../manifest/manifest.js';

export interface FeaturesProposal {
  readonly features: readonly Feature[];
  /** Given where the names alone do not say which feature fills what. */
  readonly inputs?: NonNullable<ManifestFile['inputs']>;
  readonly remarks: readonly string[];
}

const metadataKeys = /^(feature|column|input|x)[ _-]?(name|feature)s?(_in_?)?$|^features$|^columns$/i;

/** What is longer than these is no list of names that a request could hold. */
const maxKey = 100;
const maxNames = 4_194_304;

/** Proposes a feature for each column of each input: named as wanted, as the exporter wrote, or by its place. */
export function proposeFeatures(
  graph: ModelGraph,
  wanted?: readonly string[],
  rows: readonly unknown[] = [],
): FeaturesProposal {
  const { inputs } = graph;
  if (inputs.length === 0) throw new RefusedError('the graph has no inputs');
  const widths = inputs.map(
    (input) => widthOf(input) ?? (inputs.length === 1 ? (wanted?.length ?? guessWidth(graph)) : undefined),
  );
  const open = inputs.find((_, k) => widths[k] === undefined);
  if (open !== undefined)
    throw new RefusedError(
      `the width of the input ${open.name} is not fixed: name its columns with --features`,
    );
  const width = widths.reduce<number>((sum, it) => sum + (it ?? 0), 0);
  if (width > maxFeatures) {
    throw new RefusedError(
      `the graph takes ${width} columns, and features are ${maxFeatures} at most: use --task tensor`,
    );
  }
  if (wanted !== undefined && wanted.length !== width) {
    throw new RefusedError(
      `--features has ${wanted.length} name${wanted.length === 1 ? '' : 's'}, and the graph takes ${width}: ${describe(inputs)}`,
    );
  }
  if (wanted !== undefined) checkSwapped(wanted, inputs, widths as number[]);
  const written = wanted === undefined ? namesInMetadata(graph, width) : undefined;
  // The order of a golden row's keys is a guess that the golden rows then prove.
  const mayRename = width > inputs.length || inputs.length === 1;
  const rowNames = mayRename && isObject(rows[0]) ? Object.keys(rows[0]) : [];
  const golden = rowNames.length === width ? rowNames : undefined;
  const names =
    wanted ??
    written ??
    golden ??
    inputs.flatMap((input, k) => defaultNames(input, widths[k] as number, inputs.length));
  const columns: Record<string, string[]> = {};
  const features: Feature[] = [];
  const consumers = consumersOf(graph);
  inputs.forEach((input, k) => {
    const own = names.slice(features.length, features.length + (widths[k] as number));
    columns[input.name] = own;
    const type = featureTypeOf(input);
    const example = type === 'string' ? exampleOf(consumers, input.name) : undefined;
    for (const name of own) features.push({ name, type, ...example });
  });
  const areOwnNames =
    inputs.length === 1 || inputs.every((input) => columns[input.name]?.join() === input.name);
  const remarks =
    written === undefined
      ? []
      : ['the names of the features are those that the exporter wrote into the model'];
  if (golden !== undefined && golden === names) {
    remarks.push('the names of the features, and their order, are those of the golden rows');
  } else if (names !== wanted && names !== written && width > inputs.length) {
    remarks.push('the graph does not name its columns; name them with --features, in the order of training');
  }
  return { features, remarks, ...(!areOwnNames && { inputs: columns }) };
}

/** A feature that has the name of one input and would fill another was meant to fill the one of its name. */
function checkSwapped(
  wanted: readonly string[],
  inputs: readonly GraphValue[],
  widths: readonly number[],
): void {
  const own = new Set(inputs.map(({ name }) => name));
  const filled = inputs.flatMap(({ name }, k) => Array.from({ length: widths[k] ?? 0 }, () => name));
  const at = wanted.findIndex((name, k) => own.has(name) && filled[k] !== name);
  if (at < 0) return;
  throw new RefusedError(
    `--features would fill the input ${filled[at]} with ${wanted[at]}, which is the name of another input: give the names in the order of the graph, ${filled.slice(0, 20).join(', ')}`,
  );
}

function widthOf({ name, shape }: GraphValue): number | undefined {
  if (shape === undefined) return undefined;
  if (shape.length > 2 || shape.length === 0) {
    throw new RefusedError(
      `the input ${name} has ${shape.length} dimensions, which features cannot fill: use --task tensor`,
    );
  }
  const last = shape.length === 1 ? 1 : shape[1];
  return typeof last === 'number' ? last : undefined;
}

/** The columns that the first operators expect, where the input leaves them open. */
function guessWidth(graph: ModelGraph): number | undefined {
  const count = (node: GraphNode, name: string) => countOf(node.attributes.get(name));
  for (const node of graph.nodes) {
    if (node.opType === 'Scaler' || node.opType === 'Imputer') {
      const width = Math.max(
        count(node, 'scale'),
        count(node, 'offset'),
        count(node, 'imputed_value_floats'),
      );
      if (width > 1) return width;
    }
    const rows = Math.max(count(node, 'intercepts'), 1);
    const coefficients = /^Linear/.test(node.opType) ? count(node, 'coefficients') : 0;
    if (coefficients > 0 && coefficients % rows === 0) return coefficients / rows;
  }
  return undefined;
}

function namesInMetadata({ metadata }: ModelGraph, width: number): readonly string[] | undefined {
  for (const [key, text] of metadata) {
    if (key.length > maxKey || text.length > maxNames || !metadataKeys.test(key)) continue;
    const names = parseNames(text);
    if (names.length === width && new Set(names).size === width && names.every((name) => name !== ''))
      return names;
  }
  return undefined;
}

function parseNames(text: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(text.trim().startsWith("['") ? text.replaceAll("'", '"') : text);
    if (Array.isArray(list)) return list.map(String);
  } catch {
    // Not JSON: a plain list.
  }
  return text.split(/[,;\n]/).map((name) => name.trim());
}

function defaultNames(input: GraphValue, width: number, inputs: number): readonly string[] {
  if (width === 1) return [input.name];
  const prefix = inputs === 1 ? 'x' : input.name;
  return Array.from({ length: width }, (_, k) => `${prefix}${k}`);
}

function featureTypeOf({ elementType = '' }: GraphValue): Feature['type'] {
  if (elementType === 'string') return 'string';
  if (elementType === 'bool') return 'boolean';
  return /^u?int/.test(elementType) ? 'integer' : 'number';
}

/** The first node that takes each value. */
function consumersOf(graph: ModelGraph): ReadonlyMap<string, GraphNode> {
  const consumers = new Map<string, GraphNode>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (!consumers.has(input)) consumers.set(input, node);
  }
  return consumers;
}

/** The first category of the encoder that an input of texts goes into; all of them where others would fail. */
function exampleOf(
  consumers: ReadonlyMap<string, GraphNode>,
  input: string,
): Pick<Feature, 'example' | 'enum'> | undefined {
  let name = input;
  for (let step = 0; step < 8; step += 1) {
    const node = consumers.get(name);
    if (node === undefined) return undefined;
    const categories = [
      ...listOf(node.attributes.get('cats_strings')),
      ...listOf(node.attributes.get('keys_strings')),
    ].map(String);
    const zeros = node.attributes.get('zeros');
    const isStrict = node.opType === 'OneHotEncoder' && zeros?.kind === 'int' && zeros.value === 0;
    if (categories.length > 0)
      return { example: categories[0] as string, ...(isStrict && { enum: [...new Set(categories)] }) };
    name = node.outputs[0] ?? '';
  }
  return undefined;
}

function describe(inputs: readonly GraphValue[]): string {
  return inputs
    .slice(0, 20)
    .map((input) => `${input.name} ${describeShape(input.shape ?? [])}`)
    .join(', ');
}
