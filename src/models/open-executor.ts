import type { Executor } from '../inference/executor.js';
import type { ModelGraph } from '../inference/graph.js';
import { createInlineExecutor } from '../inference/inline.js';
import { IsolatedExecutor, type IsolatedOptions } from '../inference/isolated.js';
import { openSession, type Session } from '../inference/session.js';
import { nextTurn } from '../inference/slices.js';
import type { Trial } from '../inference/trials.js';
import { copyPrivately, type PrivateCopy } from './external-weights.js';
import type { TensorRun } from './tensor-task.js';
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
  const session: Session = openSession(copy?.modelPath ?? files.model, threads);
  for (const { feeds, fetches } of runs) {
    await nextTurn();
    session.run(feeds, fetches);
  }
  // The engine has mapped what it needs; a mapping outlives its file's name.
  await copy?.remove();
  return createInlineExecutor(session, maxOutputBytes);
}

/** Goes on with the child that has tried the model. The copy stays: a child that is replaced reads it again. */
export async function openIsolated(
  { files, graph, copy: made }: CheckedModel,
  trial: Trial,
  options: Omit<IsolatedOptions, 'path' | 'copy'>,
): Promise<Executor> {
  const copy = made ?? (await copyPrivately(files, graph.externalFiles));
  const executor = IsolatedExecutor.adopt(trial.keep(), {
    ...options,
    path: copy.modelPath,
    copy: copy.folder,
  });
  return {
    kind: executor.kind,
    get fault() {
      return executor.fault;
    },
    run: (feeds, fetches) => executor.run(feeds, fetches),
    close() {
      executor.close();
      void copy.remove().catch(() => undefined);
    },
  };
}
