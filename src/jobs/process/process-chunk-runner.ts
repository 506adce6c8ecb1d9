import { join } from 'node:path';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Registry } from '../../models/registry/registry.js';
import type { Predictions } from '../../prediction-event.js';
import type { ChunkResults, ChunkRows, ChunkWork, RunChunk } from '../queue/job-store.js';
import { type JobProcess, startJobProcess, UnloadableError } from './job-process.js';
import type { LoadLimits } from './messages.js';

/** Less work than this delays single rows less than the start of a process costs. */
const minBytes = 65_536;
const minRunMs = 50;
/** A version above this is not loaded a second time. */
const maxVersionBytes = 268_435_456;
/** The process takes 90 MB that it does not share with the server. The rest is for the version. */
const minFreeBytes = 268_435_456;
const defaultIdleMs = 60_000;
/** After a start that failed, or a kill for lack of memory, chunks run on the server's thread for so long. */
const restMs = 60_000;

export interface ProcessOptions {
  readonly modelsDir: string;
  readonly limits: LoadLimits;
  readonly showsProblems: boolean;
  /** Runs a chunk on the thread of the server. */
  readonly runHere: RunChunk;
  /** Whether requests of single rows come at the moment. */
  readonly isBusy: () => boolean;
  readonly onEnd: (how: string) => void;
  readonly onUnloadable: (job: ChunkWork['job'], reason: string) => void;
  /** How long the process stays after the last chunk: a minute. */
  readonly idleMs?: number;
}

export interface ProcessChunkRunner {
  readonly run: RunChunk;
  /** Ends the process. Its chunks fail with `executor_lost`. */
  close(): void;
}

/**
 * Runs chunks in a process of their own, so that many rows delay no single row. The process starts with the first chunk
 * that is worth it, and ends a minute after the last one. Chunks run on the server's thread while the process starts and
 * no single rows come, and where a process would cost more than it gives: few rows, a version that runs in a child
 * already, or a large one, or little free memory.
 */
export function createProcessChunkRunner(
  registry: Pick<Registry, 'lease'>,
  predictions: Predictions,
  options: ProcessOptions,
): ProcessChunkRunner {
  let current: JobProcess | undefined;
  /** A chunk may have ended the last process: no chunk runs on the server's thread while the next one starts. */
  let isWary = false;
  let [restUntil, running, isClosed] = [0, 0, false];
  let idle: NodeJS.Timeout | undefined;

  function start(): JobProcess {
    let [started, isLost] = [false, false];
    const starting = startJobProcess(options.limits, options.showsProblems, (how) => {
      isLost = true;
      if (current === starting) current = undefined;
      // The kernel sends SIGKILL if memory runs out: that says nothing about the chunk.
      if (started && how !== 'SIGKILL') isWary = true;
      else restUntil = performance.now() + restMs;
      options.onEnd(how);
    });
    starting.started.then(() => {
      started = !isLost;
    });
    return starting;
  }

  function stopLater(): void {
    clearTimeout(idle);
    if (running > 0) return;
    idle = setTimeout(() => {
      current?.kill();
      current = undefined;
    }, options.idleMs ?? defaultIdleMs).unref();
  }

  /** The process for the chunk, if it should run there and can. */
  async function find(loaded: LoadedVersion, rows: ChunkRows): Promise<JobProcess | undefined> {
    if (isClosed || predictions.needsJobRows || !isWorthwhile(loaded)) return undefined;
    if (current === undefined) {
      if (performance.now() < restUntil || !(isWary || isMuch(loaded, rows))) return undefined;
      if (process.availableMemory() < minFreeBytes) return undefined;
      current = start();
    }
    const found = current;
    if (!found.isReady && (isWary || options.isBusy())) await found.started;
    return found.isReady ? found : undefined;
  }

  async function run(work: ChunkWork): Promise<ChunkResults> {
    const { job, rows, claim } = work;
    let loaded: LoadedVersion;
    try {
      loaded = registry.lease(job.model, job.version);
    } catch {
      // It says why.
      return options.runHere(work);
    }
    running += 1;
    clearTimeout(idle);
    try {
      const found = loaded.identity === job.identity ? await find(loaded, rows) : undefined;
      if (found === undefined) return await options.runHere(work);
      const { id, owner, model, version, identity, requestId } = job;
      const task = {
        job: { id, owner, model, version, identity, requestId },
        firstRow: work.firstRow,
        rows: rows.part ?? (rows.packed ? { packed: rows.packed } : await rows.load()),
        draft: work.draft,
        isPacked: work.isPacked,
        path: join(options.modelsDir, model, version),
      };
      const { counts, ...results } = await found.run(task, () => claim.destroyed);
      // The process has run a chunk to its end, so the next start needs no caution.
      isWary = false;
      predictions.count(loaded, counts);
      return results;
    } catch (error) {
      if (!(error instanceof UnloadableError)) throw error;
      options.onUnloadable(job, error.message);
      return await options.runHere(work);
    } finally {
      loaded.release();
      running -= 1;
      stopLater();
    }
  }

  return {
    run,
    close() {
      isClosed = true;
      clearTimeout(idle);
      current?.kill();
      current = undefined;
    },
  };
}

function isWorthwhile({ executorKind, loadStats }: LoadedVersion): boolean {
  return executorKind === 'inline' && loadStats.memoryBytes <= maxVersionBytes;
}

function isMuch({ loadStats }: LoadedVersion, rows: ChunkRows): boolean {
  if (rows.bytes >= minBytes) return true;
  const { runMs, batchRunMs = runMs, batchRows } = loadStats;
  return (rows.count * batchRunMs) / batchRows >= minRunMs;
}
