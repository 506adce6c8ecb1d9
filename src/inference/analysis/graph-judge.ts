import { runAtOnce, runInSlices, type Steps } from '../../time/slices.js';
import { chooseOutputs, constantType, readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';
import { findFreeDimension, nodesInOrder } from './graph-order.js';
import { findSizeRisk, followLevel, type Level } from './graph-sizes.js';
import { findTextRisk } from './graph-text.js';
import { findOutputs, findProven, type ProvenOperator } from './operator-table.js';

export interface KnownValue {
  /** The element type; `seq(float32)` and the like for others. */
  readonly type: string | undefined;
  readonly level: Level;
}

export type KnownValues = ReadonlyMap<string, KnownValue>;

export interface Judgement {
  /** Why the graph must not run on the server's thread, as a clause; absent if it may. */
  readonly unproven?: string;
  /** Up to the first node that is not proven. */
  readonly values: KnownValues;
}

export interface JudgeOptions {
  /** The dimensions that a request may choose: only the rows, with widths fixed by the manifest, or all open ones. */
  readonly freeInputs: 'rows' | 'declared';
}

/**
 * Judges whether a graph may run on the server's thread. Two things are shown:
 * - No request ends the process. Each operator, with its types, was run in a child with extreme elements, hostile
 *   indices and odd shapes, and survived.
 * - No request takes longer than the measured run of a full batch, which is the largest run. No other dimension is
 *   free, and each size in the graph is a constant or grows with the number of rows. No element sets a size.
 * So a value that is empty in any run is empty in the tried run of one row, and its number of dimensions never changes:
 * operators that crash only on empty tensors, or on another number of dimensions, are allowed.
 */
export function judgeGraph(graph: ModelGraph, options: JudgeOptions): Judgement {
  return runAtOnce(judgeInSteps(graph, options));
}

/** As `judgeGraph`, without blocking the thread. */
export function judgeGraphInSlices(graph: ModelGraph, options: JudgeOptions): Promise<Judgement> {
  return runInSlices(judgeInSteps(graph, options));
}

function* judgeInSteps(graph: ModelGraph, { freeInputs }: JudgeOptions): Steps<Judgement> {
  const values = new Map<string, KnownValue>();
  const free = freeInputs === 'rows' ? undefined : findFreeDimension(graph);
  if (free !== undefined) return { unproven: free, values };
  for (const { name, kind, elementType } of graph.inputs) {
    values.set(name, { type: kind === 'tensor' ? elementType : undefined, level: 'data' });
  }
  for (const [name, { dataType }] of graph.initializers)
    values.set(name, { type: dataType, level: 'constant' });
  const nodes = nodesInOrder(graph, values);
  for (const node of nodes) {
    yield;
    const fault = judgeNode(node, graph, values);
    if (fault !== undefined) return { unproven: fault, values };
  }
  const text = findTextRisk(graph, nodes, values);
  return text === undefined ? { values } : { unproven: text, values };
}

function judgeNode(node: GraphNode, graph: ModelGraph, values: Map<string, KnownValue>): string | undefined {
  const { domain, opType } = node;
  const operator = domain === '' ? opType : `${domain}:${opType}`;
  if (graph.functions.has(`${domain}:${opType}`)) return `${operator} is a function of the model itself`;
  if (operator === 'Constant') {
    for (const output of node.outputs) values.set(output, { type: constantType(node), level: 'constant' });
    return undefined;
  }
  const entries = findProven(operator, opsetOf(graph, domain));
  if (entries.length === 0) return `${operator} ${notListed}`;
  const other = [...node.attributes].find(([, { kind }]) => kind === 'other')?.[0];
  if (other !== undefined) return `the attribute ${other} of ${operator} has a value that was not tried`;
  const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
  if (inputs.some((input, place) => node.inputs[place] !== '' && input?.type === undefined)) {
    return `the type of an input of ${operator} is unknown`;
  }
  const types = inputs.map((input) => input?.type);
  // Without axes, the number of rows decides how many dimensions are removed.
  const isOpenSqueeze =
    operator === 'Squeeze' && !node.attributes.has('axes') && (node.inputs[1] ?? '') === '';
  if (isOpenSqueeze && inputs[0]?.level !== 'constant') return 'Squeeze names no axes';
  const matching = entries.filter(
    (entry) => findOutputs(entry, types) !== undefined && hasTriedTexts(entry, node),
  );
  const ofTypes = [...new Set(types.filter((type) => type !== undefined))].join(' and ');
  if (matching.length === 0) return `${operator}${ofTypes && ` of ${ofTypes}`} ${notListed}`;
  const entry = matching.find((it) => isConstantEnough(it, node, graph, values));
  if (entry === undefined) return needsConstant(operator, ofTypes, matching[0]?.constant ?? []);
  const levels = inputs.map((input) => input?.level);
  const size = findSizeRisk(node, entry, levels, (name) => readConstant(name, graph));
  if (size !== undefined) return size;
  const level = followLevel(node, entry, levels, (name) => readConstant(name, graph));
  const gives = chooseOutputs(node, findOutputs(entry, types) ?? []);
  node.outputs.forEach((name, place) => {
    const last = gives?.at(-1);
    const type = gives?.[place]?.replace('*', '') ?? (last?.endsWith('*') ? last.slice(0, -1) : undefined);
    if (name !== '') values.set(name, { type, level });
  });
  return undefined;
}

const notListed = "is not on the list of operators that are safe on the server's thread";

/** Returns the imported version; NaN if the model imports two versions or none. */
function opsetOf({ opsets }: ModelGraph, wanted: string): number {
  const versions = new Set(opsets.filter(({ domain }) => domain === wanted).map(({ version }) => version));
  const [version = Number.NaN] = versions;
  return versions.size === 1 ? version : Number.NaN;
}

function hasTriedTexts({ texts = {} }: ProvenOperator, { attributes }: GraphNode): boolean {
  for (const [name, value] of attributes) {
    if (value.kind === 'string' && texts[name]?.includes(value.value.replaceAll(' ', '')) !== true)
      return false;
  }
  return true;
}

function isConstantEnough(
  { constant = [] }: ProvenOperator,
  node: GraphNode,
  graph: ModelGraph,
  values: KnownValues,
): boolean {
  return constant.every((place) => {
    const name = node.inputs[place] ?? '';
    if (values.get(name)?.level !== 'constant') return false;
    if (node.opType !== 'Div' && node.opType !== 'Mod') return true;
    // Division by 0 and of the smallest integer by -1 end the process (x86-64, SIGFPE).
    const divisors = readConstant(name, graph);
    return divisors !== undefined && !divisors.includes(0) && !divisors.includes(-1);
  });
}

function needsConstant(operator: string, ofTypes: string, places: readonly number[]): string {
  if (operator === 'Div' || operator === 'Mod') {
    return `${operator} of ${ofTypes} is safe on the server's thread only with a constant divisor other than 0 and -1`;
  }
  const inputs = places.map((place) => `input ${place}`).join(' and ');
  return `${operator} of ${ofTypes} is safe on the server's thread only with a constant as ${inputs}`;
}
