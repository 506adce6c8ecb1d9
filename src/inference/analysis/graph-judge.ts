import { runAtOnce, runInSlices, type Steps } from '../../time/slices.js';
import { chooseOutputs, constantType, readConstant } from '../onnx/graph-types.js';
import type { GraphNode, ModelGraph } from '../onnx/read-graph.js';
import { findFreeDimension, nodesInOrder } from './graph-order.js';
import { findSizeRisk, followLevel, type Level } from './graph-sizes.js';
import { findTextRisk } from './graph-text.js';
import { findOutputs, findProven, type ProvenOperator } from './operator-table.js';

/** What is known of a value of the graph before any run. */
export interface KnownValue {
  /** The element type; `seq(float32)` and the like for others. */
  readonly type: string | undefined;
  readonly level: Level;
}

export type KnownValues = ReadonlyMap<string, KnownValue>;

export interface Judgement {
  /** Why the graph may not run on the server's thread, as a clause; absent where it may. */
  readonly unproven?: string;
  /** What is known of the values of the graph, up to the node that was not proven. */
  readonly values: KnownValues;
}

export interface JudgeOptions {
  /**
   * What a request may choose beside the elements: the number of rows alone, where the manifest fixes the width of each
   * input (`rows`); or all dimensions that the graph leaves open (`declared`).
   */
  readonly freeInputs: 'rows' | 'declared';
}

/**
 * Whether a graph may run on the server's thread.
 *
 * Two things are shown. No request ends the process: each operator, with its types, is in the table of those that were
 * run in a child with extreme elements, hostile places and odd shapes, and survived. And no request takes longer than the
 * run of a full batch that was measured: the caller keeps the rows of a run at or below the rows of that batch, no other
 * dimension is free, and each size in the graph is a constant or grows with the number of rows, so that fewer rows
 * take no longer. Elements set no size: the inputs that set one are traced to constants and shapes. The same shows that
 * what is empty in any run is empty in the run of one row, which was tried, and that each value has one number of
 * dimensions in all runs: so operators are taken that die only of empty tensors or of another number of dimensions.
 *
 * Subgraphs and functions of the model are not looked into: they are not on the list.
 */
export function judgeGraph(graph: ModelGraph, options: JudgeOptions): Judgement {
  return runAtOnce(judgeInSteps(graph, options));
}

/** The same, on a thread that serves others meanwhile. */
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

/** Judges one node and adds what it gives to `values`. */
function judgeNode(node: GraphNode, graph: ModelGraph, values: Map<string, KnownValue>): string | undefined {
  const { domain, opType } = node;
  const operator = domain === '' ? opType : `${domain}:${opType}`;
  if (graph.functions.has(`${domain}:${opType}`))
    return `${operator} is a function that the model brings along`;
  if (operator === 'Constant') {
    for (const output of node.outputs) values.set(output, { type: constantType(node), level: 'constant' });
    return undefined;
  }
  const entries = findProven(operator, opsetOf(graph, domain));
  if (entries.length === 0) return `${operator} ${notListed}`;
  const other = [...node.attributes].find(([, { kind }]) => kind === 'other')?.[0];
  if (other !== undefined) return `the attribute ${other} of ${operator} is not one that was tried`;
  const inputs = node.inputs.map((name) => (name === '' ? undefined : values.get(name)));
  if (inputs.some((input, place) => node.inputs[place] !== '' && input?.type === undefined)) {
    return `the type of what ${operator} takes is not known`;
  }
  const types = inputs.map((input) => input?.type);
  // Which axes go is up to the number of rows then, and with them the number of dimensions.
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

/** The version that the model imports; none where it imports two, or the domain not at all. */
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
    return `${operator} of ${ofTypes} is safe on the server's thread only by a constant that is neither 0 nor -1`;
  }
  const inputs = places.map((place) => `input ${place}`).join(' and ');
  return `${operator} of ${ofTypes} is safe on the server's thread only with a constant as ${inputs}`;
}
