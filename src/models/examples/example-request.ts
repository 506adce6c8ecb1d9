import { ServiceError } from '../../errors.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { RunnerLostError } from '../../inference/runner/runner-process.js';
import { type Sandbox, SandboxTimeoutError } from '../../inference/runner/sandbox.js';
import type { NestedValue } from '../../inference/tensors/json-write.js';
import { type ElementType, isIntegerType } from '../../inference/tensors/tensor.js';
import { bindInputs, tensorTypeOf } from '../binding/bind-inputs.js';
import { createOtherRows } from '../features/example-row.js';
import type { Manifest } from '../manifest/manifest.js';
import type { Task } from '../tasks/task.js';
import type { Golden } from './golden.js';

type Example = Pick<Task, 'example' | 'exampleProblem'>;

/** Candidates that may end the child before the search stops. */
const maxEnds = 3;

/**
 * Returns the first golden row, whose answer has been checked, else the first of `candidates` that gets an answer. If
 * none gets one, returns the first with the reason, or throws what ended the child. A child that a candidate ends is
 * renewed.
 */
export async function findExample(
  candidates: Iterable<unknown>,
  golden: Golden | undefined,
  answer: (body: unknown) => Promise<unknown>,
  sandbox: Pick<Sandbox, 'renew'>,
): Promise<Example> {
  if (golden !== undefined) return { example: golden.instances[0] };
  let first: Example | undefined;
  let lost: Error | undefined;
  let ends = 0;
  for (const example of candidates) {
    try {
      await answer(example);
      return { example };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      first ??= { example, exampleProblem: describe(error) };
      if (error.cause instanceof SandboxTimeoutError) throw error.cause;
      if (!(error.cause instanceof RunnerLostError)) continue;
      lost = error.cause;
      ends += 1;
      await sandbox.renew();
      if (ends === maxEnds) break;
    }
  }
  if (lost !== undefined) throw lost;
  return first ?? { example: {}, exampleProblem: 'there is no candidate' };
}

/** Bodies that the check accepts: first the plain one, then others, each of them made on demand. */
export function* listExamples(manifest: Manifest, graph: ModelGraph, plain: unknown): Generator<unknown> {
  yield plain;
  if (manifest.task === 'tensor') yield* listTensors(graph);
  else yield* createOtherRows(bindInputs(manifest, graph).typed);
}

/** Sizes for open dimensions except the first, which counts rows: a convolution may need more than one element. */
const freeDims = [1, 2, 8, 32];
const maxElements = 65_536;

function* listTensors({ inputs }: ModelGraph): Generator<unknown> {
  const withDims = (free: number) =>
    inputs.map((input) => ({
      name: input.name,
      type: tensorTypeOf(input),
      dims: (input.shape ?? [1]).map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : free)),
    }));
  const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  for (const free of freeDims) {
    const specs = withDims(free);
    if (specs.some(({ dims }) => size(dims) > maxElements)) return;
    for (const fill of [fillWithOnes, fillWithSmall]) {
      const entries = specs.map(({ name, type, dims }) => [name, nest(dims, fill(type))] as const);
      yield { inputs: Object.fromEntries(entries) };
    }
  }
}

type Element = number | string | boolean;

function fillWithOnes(type: ElementType): () => Element {
  const value = type === 'string' ? 'text' : type === 'bool' ? true : 1;
  return () => value;
}

/** Different values in a fixed order: 1 to 5, or 0.1 to 0.7. */
function fillWithSmall(type: ElementType): () => Element {
  let k = -1;
  return () => {
    k += 1;
    if (type === 'string') return k % 2 === 0 ? 'text' : 'other';
    if (type === 'bool') return k % 2 === 0;
    return isIntegerType(type) ? (k % 5) + 1 : ((k % 7) + 1) / 10;
  };
}

function nest([first, ...rest]: readonly number[], next: () => Element): NestedValue {
  return first === undefined ? next() : Array.from({ length: first }, () => nest(rest, next));
}

function describe({ message, code, problems }: ServiceError): string {
  const [problem] = code === 'invalid_input' ? (problems ?? []) : [];
  return problem === undefined ? message : `${problem.pointer} ${problem.message}`;
}
