import { messageOf, ServiceError } from '../errors.js';
import type { Executor } from '../inference/executor.js';
import type { ModelGraph } from '../inference/graph.js';
import { createInlineExecutor } from '../inference/inline.js';
import { IsolatedExecutor } from '../inference/isolated.js';
import { openSession } from '../inference/session.js';
import { copyPrivately } from './external-weights.js';
import { RefusedError } from './manifest.js';
import type { VersionFiles } from './version-files.js';

export interface ExecutorSettings {
  readonly threads: number;
  readonly timeoutMs: number;
  /** Told how a child ended that was not meant to. */
  readonly onLost?: ((how: string) => void) | undefined;
}

/** The longest that a child may take to open a model. */
const loadTimeoutMs = 60_000;

/**
 * Opens a model whose bytes have been checked, on this thread or in a child process. The engine gets those bytes,
 * or a private copy of them: never the registry's own files. Throws `RefusedError` when it refuses.
 */
export async function openExecutor(
  kind: Executor['kind'],
  files: VersionFiles,
  graph: ModelGraph,
  settings: ExecutorSettings,
): Promise<Executor> {
  try {
    return kind === 'inline'
      ? await openInline(files, graph, settings)
      : await openIsolated(files, graph, settings);
  } catch (cause) {
    if (cause instanceof RefusedError) throw cause;
    const why = cause instanceof ServiceError ? 'does not survive' : 'refuses';
    throw new RefusedError(`the engine ${why} model.onnx: ${messageOf(cause)}`, { cause });
  }
}

async function openInline(
  files: VersionFiles,
  graph: ModelGraph,
  { threads }: ExecutorSettings,
): Promise<Executor> {
  if (graph.externalData.length === 0) return createInlineExecutor(openSession(files.model, threads));
  const copy = await copyPrivately(files, graph.externalFiles);
  try {
    return createInlineExecutor(openSession(copy.modelPath, threads));
  } finally {
    // The engine has mapped what it needs; a mapping outlives its file's name.
    await copy.remove();
  }
}

/** The copy stays as long as the executor: a child that is replaced reads it again. */
async function openIsolated(
  files: VersionFiles,
  graph: ModelGraph,
  settings: ExecutorSettings,
): Promise<Executor> {
  const copy = await copyPrivately(files, graph.externalFiles);
  const remove = () => void copy.remove().catch(() => undefined);
  try {
    const { threads, timeoutMs, onLost } = settings;
    const path = copy.modelPath;
    const executor = await IsolatedExecutor.open({
      path,
      threads,
      timeoutMs,
      loadTimeoutMs,
      ...(onLost && { onLost }),
    });
    return {
      kind: executor.kind,
      run: (feeds, fetches) => executor.run(feeds, fetches),
      close() {
        executor.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
