import type { Sandbox } from '../../inference/runner/sandbox.js';
import type { TensorSpec } from '../../inference/tensors/json-read-element.js';
import { sizeOf, type Tensor } from '../../inference/tensors/tensor.js';
import type { TensorRun } from '../tensors/tensor-task.js';
import { isRefusal, renewIfEnded } from './try-samples.js';

/** Each open dimension costs one run, and a graph has few of them. The trial stops if a run ends the child. */
const maxTried = 16;

/**
 * Finds the open axes, except the first, that may have length 0 in a request. Some operators end their process on an
 * empty axis (TopK by SIGFPE, onnxruntime 1.30). Axes with the same name are tried together.
 */
export async function findEmptyAxes(
  inputs: readonly TensorSpec[],
  base: TensorRun,
  sandbox: Sandbox,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const open = inputs.flatMap(({ name, dims = [] }) =>
    dims.flatMap((dim, axis) => (axis > 0 && typeof dim !== 'number' ? [{ name, axis, dim }] : [])),
  );
  const found = new Map<string, Set<number>>();
  const tried = new Set<string>();
  for (const { name, axis, dim } of open.slice(0, maxTried)) {
    if (dim !== undefined && tried.has(dim)) continue;
    if (dim !== undefined) tried.add(dim);
    const alike = open.filter((it) =>
      dim === undefined ? it.name === name && it.axis === axis : it.dim === dim,
    );
    const feeds = Object.fromEntries(
      Object.entries(base.feeds).map(([input, tensor]) => {
        const axes = alike.filter((it) => it.name === input).map((it) => it.axis);
        return [input, axes.length === 0 ? tensor : emptied(tensor, axes)];
      }),
    );
    try {
      await sandbox.run(feeds, base.fetches);
      for (const it of alike) found.set(it.name, (found.get(it.name) ?? new Set()).add(it.axis));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (await renewIfEnded(sandbox, error)) break;
    }
  }
  return found;
}

function emptied({ type, dims, data }: Tensor, axes: readonly number[]): Tensor {
  const empty = dims.map((dim, axis) => (axes.includes(axis) ? 0 : dim));
  return { type, dims: empty, data: data.slice(0, sizeOf(empty)) as Tensor['data'] };
}
