import type { Executor } from '../../inference/engine/executor.js';
import { createInlineExecutor } from '../../inference/engine/inline-executor.js';
import { openSession, type Session } from '../../inference/engine/session.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import { IsolatedExecutor, type IsolatedOptions } from '../../inference/runner/isolated-executor.js';
import type { ModelSource } from '../../inference/runner/model-source.js';
import type { Sandbox } from '../../inference/runner/sandbox.js';
import { nextTurn } from '../../time/slices.js';
import { holdBytes } from '../private-copy/held-bytes.js';
import type { Notify } from '../private-copy/notify.js';
import type { PrivateCopy } from '../private-copy/private-copy.js';
import type { TensorRun } from '../tensors/tensor-task.js';
import type { VersionFiles } from './version-files.js';

/** A model whose bytes have been checked. The engine gets these bytes, never the files of the registry. */
export interface CheckedModel {
  readonly files: VersionFiles;
  readonly graph: ModelGraph;
  /** Only for a model with external weights, which the engine finds beside it. */
  copy?: PrivateCopy | undefined;
}

/** Opens a model and warms it up with `runs`. Each step blocks this thread; requests are served between the steps. */
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
  // The engine has mapped the weights, and a mapping stays valid after its file is removed.
  await copy?.remove();
  return createInlineExecutor(session, maxOutputBytes);
}

/**
 * Adopts the child that has tried the model. Later children get the bytes from this process, or from the copy if there
 * are external weights.
 */
export async function openIsolated(
  { files, copy }: CheckedModel,
  sandbox: Sandbox,
  {
    onNotice,
    ...options
  }: Omit<IsolatedOptions, 'source' | 'onClosed'> & { readonly onNotice: Notify | undefined },
): Promise<Executor> {
  const held = copy === undefined ? await holdBytes(files.model) : undefined;
  if (held?.fault !== undefined) {
    const { name: model, version } = files.manifest;
    const facts = { model, version, bytes: files.model.length, err: held.fault };
    onNotice?.(
      'a model is held in memory, because no file can be made in the folder for temporary files',
      facts,
    );
  }
  const source = copy ?? (held as ModelSource);
  const onClosed = () => void (copy?.remove() ?? held?.release())?.catch(() => undefined);
  return IsolatedExecutor.adopt(sandbox.adopt(), { ...options, source, onClosed });
}
