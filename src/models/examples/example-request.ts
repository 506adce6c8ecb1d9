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

/** So many candidates may end the child that tries them. */
const maxEnds = 3;

/**
 * The example of a version: its first golden row, which has been answered right, else the first of `candidates` that
 * is answered. Where none is, the first of them with the reason. A child that one of them ends is renewed; throws what
 * ended it where nothing was answered at all.
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
  // Nothing was answered, and the engine does not survive the trying.
  if (lost !== undefined) throw lost;
  return first ?? { example: {}, exampleProblem: 'there is none' };
}

/** Bodies that the check accepts, the plain one first; the others are made only when they are asked for. */
export function* listExamples(manifest: Manifest, graph: ModelGraph, plain: unknown): Generator<unknown> {
  yield plain;
  if (manifest.task === 'tensor') yield* listTensors(graph);
  else yield* createOtherRows(bindInputs(manifest, graph).typed);
}

/** What dimensions that are free get: a convolution or a window may need more than one. The first counts requests. */
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

/** Values that differ from element to element, and are the same each time: 1 to 5, or 0.1 to 0.7. */
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
