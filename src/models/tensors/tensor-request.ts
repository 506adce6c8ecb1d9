import { maxProblems, type Problem, ServiceError } from '../../errors.js';
import { readTensor } from '../../inference/tensors/json-read.js';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import type { Tensor } from '../../inference/tensors/tensor.js';
import { describeValue, isObject, pointerToken } from '../../text/describe-value.js';
import { createSearchBudget, didYouMean, maxSuggested, nearestNames } from '../../text/did-you-mean.js';
import { findForeignForm, sketchObject } from '../tasks/foreign-body.js';

export interface TensorRequest {
  readonly feeds: Record<string, Tensor>;
  readonly fetches: readonly string[];
}

/** The outputs that a request can name, and why it cannot name the others: `is a sequence of float32, …`. */
export interface OutputNames {
  readonly served: ReadonlySet<string>;
  readonly unserved: ReadonlyMap<string, string>;
}

/**
 * Reads the body of a request for the task `tensor`. Without `outputs` it fetches all of them.
 * Throws `invalid_input` with every problem, one for each tensor.
 */
export function readTensorRequest(
  body: unknown,
  specs: readonly TensorSpec[],
  outputs: OutputNames,
  maxBatchRows: number | undefined,
): TensorRequest {
  const problems: Problem[] = [];
  const add = (pointer: string, message: string) =>
    problems.length < maxProblems && problems.push({ pointer, message });
  if (!isObject(body)) {
    add('', `must be an object with "inputs", got ${body === undefined ? 'nothing' : describeValue(body)}`);
    throw refuse(problems);
  }
  const foreign = isObject(body['inputs'])
    ? undefined
    : findForeignForm(body, (name) => name === 'inputs' && !Array.isArray(body[name]));
  if (foreign !== undefined) {
    const { name, servers } = foreign;
    const sketch = sketchObject(
      specs.map((spec) => spec.name),
      '[…]',
    );
    add(
      `/${pointerToken(name)}`,
      `is the form of ${servers}; here each tensor has the name of its input: {"inputs": ${sketch}}`,
    );
    throw refuse(problems);
  }
  for (const key of Object.keys(body).slice(0, maxProblems)) {
    if (key !== 'inputs' && key !== 'outputs')
      add(`/${pointerToken(key)}`, 'is not a key of this request; "inputs" and "outputs" are');
  }
  const feeds = readInputs(body['inputs'], specs, maxBatchRows, add);
  const fetches = readOutputs(body['outputs'], outputs, add);
  if (problems.length > 0) throw refuse(problems);
  return { feeds, fetches };
}

type Add = (pointer: string, message: string) => void;

function readInputs(
  inputs: unknown,
  specs: readonly TensorSpec[],
  maxBatchRows: number | undefined,
  add: Add,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  if (!isObject(inputs)) {
    add(
      '/inputs',
      inputs === undefined ? 'is required' : `must be an object of tensors, got ${describeValue(inputs)}`,
    );
    return feeds;
  }
  const symbols = new Map<string, number>();
  for (const spec of specs) {
    const pointer = `/inputs/${pointerToken(spec.name)}`;
    if (!Object.hasOwn(inputs, spec.name)) {
      add(pointer, 'is required');
      continue;
    }
    const result = readTensor(inputs[spec.name], spec, pointer, symbols);
    if (!('data' in result)) add(result.pointer, result.message);
    else if (maxBatchRows !== undefined && (result.dims[0] ?? 0) > maxBatchRows) {
      add(pointer, `must have at most ${maxBatchRows} rows, got ${result.dims[0]}`);
    } else feeds[spec.name] = result;
  }
  const known = specs.map((spec) => spec.name);
  const names = new Set(known);
  const budget = createSearchBudget();
  let suggested = 0;
  for (const name of Object.keys(inputs).slice(0, known.length + maxProblems)) {
    if (names.has(name)) continue;
    const nearest = suggested++ < maxSuggested ? nearestNames(name, known, 3, undefined, budget) : [];
    add(`/inputs/${pointerToken(name)}`, `is not an input${didYouMean(nearest)}`);
  }
  return feeds;
}

function readOutputs(
  wanted: unknown,
  { served: outputs, unserved }: OutputNames,
  add: Add,
): readonly string[] {
  if (wanted === undefined) return [...outputs];
  if (!Array.isArray(wanted) || wanted.length === 0) {
    add('/outputs', 'must be an array of the names of outputs');
    return [];
  }
  const seen = new Set<unknown>();
  for (const [index, name] of wanted.entries()) {
    if (!outputs.has(name)) {
      const fault = unserved.get(name) ?? 'is not an output';
      add(`/outputs/${index}`, `${fault}; there are ${[...outputs].slice(0, 10).join(', ')}`);
    } else if (seen.has(name)) add(`/outputs/${index}`, 'is listed twice');
    seen.add(name);
    if (index > outputs.size + maxProblems) break;
  }
  return wanted as string[];
}

function refuse(problems: readonly Problem[]): ServiceError {
  const count = problems.length < maxProblems ? String(problems.length) : `at least ${problems.length}`;
  return new ServiceError('invalid_input', {
    detail: `${count} problem${problems.length === 1 ? '' : 's'}`,
    problems,
  });
}
