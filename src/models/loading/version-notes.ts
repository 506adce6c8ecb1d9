import { RefusedError } from '../../errors.js';
import { listOwnOutputs } from '../../inference/analysis/graph-passing.js';
import { findOrigin } from '../../inference/analysis/output-origin.js';
import { describeType, type GraphValue, type ModelGraph } from '../../inference/onnx/read-graph.js';
import { describeShape } from '../../text/describe-value.js';
import { isFloat, typeOf, unservable } from '../binding/graph-outputs.js';
import type { Manifest } from '../manifest/manifest.js';

const maxNotes = 20;

/**
 * What an owner should know of a version that is served: a sentence each, with what to do about it, and gone once that
 * is done. These are of outputs that are left out; `fetched` are those that answers come from. Throws `RefusedError`
 * where the manifest leaves out what is served or not there.
 */
export function findNotes(
  manifest: Manifest,
  graph: ModelGraph,
  fetched: readonly string[],
): readonly string[] {
  const { label, probabilities, leftOut = [] } = manifest.output ?? {};
  checkLeftOut(leftOut, graph, fetched);
  // Who names the probabilities alone means that the label is not the prediction.
  const isWithoutLabel = label === undefined && probabilities !== undefined;
  const left = listOwnOutputs(graph).filter(
    (output) =>
      !fetched.includes(output.name) &&
      !leftOut.includes(output.name) &&
      !(isWithoutLabel && isLabel(output)) &&
      !(manifest.task === 'tensor' && unservable(output) === undefined),
  );
  const notes = left.slice(0, maxNotes).map((output) => noteOn(output, manifest, graph));
  return left.length > maxNotes
    ? [...notes, `${left.length - maxNotes} more outputs are left out: sardonyx inspect lists them all`]
    : notes;
}

function checkLeftOut(leftOut: readonly string[], { outputs }: ModelGraph, fetched: readonly string[]): void {
  for (const name of leftOut) {
    if (fetched.includes(name)) throw new RefusedError(`/output/leftOut names ${name}, which is served`);
    if (!outputs.some((output) => output.name === name))
      throw new RefusedError(`/output/leftOut names ${name}, which is no output of the graph`);
  }
}

function noteOn(output: GraphValue, { task, output: named = {} }: Manifest, graph: ModelGraph): string {
  const { name } = output;
  const fault = unservable(output);
  if (fault !== undefined) return `the output ${name} is left out: it ${fault}`;
  const all =
    'a version of the task tensor serves every output, and output.leftOut says that one is not wanted';
  const isMatrix = isFloat(typeOf(output)) && (output.shape?.length ?? 1) <= 2;
  if (task === 'classification' && named.probabilities === undefined && isMatrix) {
    return findOrigin(graph, name).is === 'scores' || /score/i.test(name)
      ? `the output ${name} is left out: it holds scores and no probabilities; ${all}`
      : `the output ${name} is left out: if it holds probabilities, name it in output.probabilities of metadata.json; ${all}`;
  }
  if (task === 'regression')
    return `the output ${name} is left out: output.value of metadata.json names the one that is served; ${all}`;
  return `the output ${name} is left out: it is ${describe(output)}; ${all}`;
}

function isLabel(output: GraphValue): boolean {
  const type = typeOf(output);
  return type !== undefined && !isFloat(type) && (output.shape?.length ?? 1) <= 2;
}

function describe(output: GraphValue): string {
  return `a tensor of ${describeType(output)}${output.shape === undefined ? '' : ` ${describeShape(output.shape)}`}`;
}
