import type { Executor } from '../../inference/engine/executor.js';
import { createInlineExecutor } from '../../inference/engine/inline-executor.js';
import { openSession, type Session } from '../../inference/engine/session.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { IsolatedExecutor, type IsolatedOptions } from '../../inference/runner/isolated-executor.js';
import type { ModelSource } from '../../inference/runner/model-source.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { nextTurn } from '../../time/slices.js';
import { holdBytes } from '../private-copy/held-bytes.js';
import type { PrivateCopy } from '../private-copy/private-copy.js';
import type { TensorRun } from '../tensors/tensor-task.js';
import type { VersionFiles } from './version-files.js';

/** A model whose bytes have been checked: what the engine is given, and never the registry's own files. */
export interface CheckedModel {
  readonly files: VersionFiles;
  readonly graph: ModelGraph;
  /** Of a model with external weights, which the engine looks up beside it. */
  copy?: PrivateCopy | undefined;
}

/** Opens a model on this thread, which that blocks, and warms it up with some runs. Others are served in between. */
export async function openInline(
  { files, copy }: CheckedModel,
  threads: number,
  maxOutputBytes: number,
  runs: readonly TensorRun[],
): Promise<Executor> {
  await nextTurn();
  const session: Session = openSession((await copy?.provide())?.path ?? files.model, threads);
  for (const { feeds, fetches } of runs) {
    await nextTurn();
    session.run(feeds, fetches);
  }
  // The engine has mapped what it needs; a mapping outlives its file's name.
  await copy?.remove();
  return createInlineExecutor(session, maxOutputBytes);
}

/**
 * Goes on with the child that has tried the model. Its successors get the bytes from here, and with external weights
 * from the copy. `onHeldInMemory` is told why a large model takes this process's memory.
 */
export async function openIsolated(
  { files, copy }: CheckedModel,
  sandbox: Sandbox,
  {
    onHeldInMemory,
    ...options
  }: Omit<IsolatedOptions, 'source' | 'onClosed'> & {
    readonly onHeldInMemory?: ((fault: unknown) => void) | undefined;
  },
): Promise<Executor> {
  const held = copy === undefined ? await holdBytes(files.model) : undefined;
  if (held?.fault !== undefined) onHeldInMemory?.(held.fault);
  const source = copy ?? (held as ModelSource);
  const onClosed = () => void (copy?.remove() ?? held?.release())?.catch(() => undefined);
  return IsolatedExecutor.adopt(sandbox.adopt(), { ...options, source, onClosed });
}
