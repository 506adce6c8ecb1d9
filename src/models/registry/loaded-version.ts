import { ServiceError } from '../../errors.js';
import { type CallContext, type Caller, createCall } from '../../inference/batching/call-context.js';
import type { Executor } from '../../inference/engine/executor.js';
import type { Manifest } from '../manifest/manifest.js';
import { withDefaults } from '../manifest/runtime-defaults.js';
import type { Task } from '../tasks/task.js';

/** What was measured while a version was loaded. */
export interface LoadStats {
  /** From the first byte read to the last golden row passed. */
  readonly loadMs: number;
  /** How long the engine took to open the model, in the child that tried it. */
  readonly openMs: number;
  /** The shortest of some runs of one row, and of a full batch where the task has batches: the engine's own time. */
  readonly runMs: number;
  readonly batchRunMs?: number;
  readonly batchRows: number;
  /** Why a run has one row, or one request, where the manifest allows more. */
  readonly batchReason?: string;
  /** The largest difference between an answer in company and the answer alone, as a share of its column's largest. */
  readonly batchDifference?: number;
  /** Of the outputs of a full batch, as tensors. */
  readonly outputBytes: number;
  /**
   * What an inline version added to the memory of the child that tried it, and not less than its file; all memory of
   * an isolated one's child.
   */
  readonly memoryBytes: number;
  readonly goldenRows: number;
  /** Why the version runs where it runs. */
  readonly executorReason: string;
  /** Why its answers are not remembered; undefined where they may be. */
  readonly uncachedReason: string | undefined;
  /** What its owner should know: a sentence each, with what to do, and gone once that is done. */
  readonly notes: readonly string[];
}

/**
 * One version that may answer: past its digests and golden rows. It is lent out by leases; once retired, the
 * session is released when the last lease ends, and never before.
 */
export class LoadedVersion {
  readonly manifest: Manifest;
  readonly identity: string;
  readonly task: Task;
  readonly loadStats: LoadStats;
  readonly executorKind: Executor['kind'];
  /** The longest from a request's arrival to its answer. */
  readonly timeoutMs: number;
  /**
   * The most rows of one request: a quarter of what the queue holds. More would fill it, and would be let in only where
   * nobody else waits.
   */
  readonly maxRows: number;
  /** The end of every answer's JSON object: which version gave it. The prediction's id follows. */
  readonly versionFieldsJson: string;
  readonly #executor: Executor;
  #leases = 0;
  #isRetired = false;
  /** Never without `#isRetired`, never with a lease. */
  #isClosed = false;

  constructor(parts: {
    manifest: Manifest;
    identity: string;
    task: Task;
    loadStats: LoadStats;
    executor: Executor;
  }) {
    this.manifest = parts.manifest;
    this.identity = parts.identity;
    this.task = parts.task;
    this.loadStats = parts.loadStats;
    this.#executor = parts.executor;
    this.executorKind = parts.executor.kind;
    const { timeoutMs, maxQueueRows } = withDefaults(parts.manifest.runtime);
    this.timeoutMs = timeoutMs;
    this.maxRows = Math.ceil(maxQueueRows / 4);
    const { name, version } = parts.manifest;
    this.versionFieldsJson = `"model":${JSON.stringify(name)},"model_version":${JSON.stringify(version)}`;
  }

  get name(): string {
    return this.manifest.name;
  }

  get version(): string {
    return this.manifest.version;
  }

  /** Whether its answers may be remembered. */
  get isCacheable(): boolean {
    return this.loadStats.uncachedReason === undefined;
  }

  /** The deadline of a request to this version. */
  createCall(caller: Caller): CallContext {
    return createCall(caller, this.timeoutMs);
  }

  /** Whether its answers are remembered whatever that costs: its manifest says so. */
  get isCacheForced(): boolean {
    return this.manifest.runtime?.cache === true;
  }

  /** Why the version cannot run at the moment, in words for an operator. */
  get fault(): string | undefined {
    return this.#executor.fault;
  }

  /** Borrows the version. Each call needs one `release`. Throws `model_unavailable` once the session has gone. */
  lease(): this {
    if (this.#isClosed) {
      const detail = `${this.name} ${this.version} has retired.`;
      throw new ServiceError('model_unavailable', { detail, retryAfterSeconds: 1 });
    }
    this.#leases += 1;
    return this;
  }

  /** Ends one lease. */
  release(): void {
    this.#leases -= 1;
    this.#closeWhenUnused();
  }

  /** No new lease is meant to follow: the session goes with the last one. Safe to call twice. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#closeWhenUnused();
  }

  /**
   * Retires the version when nobody is left to wait for it: a run in a child process is ended instead of awaited,
   * since it may take for ever. A run on this thread ends by itself.
   */
  abandon(): void {
    this.retire();
    if (this.#isClosed || this.executorKind === 'inline') return;
    this.#isClosed = true;
    this.#executor.close();
  }

  #closeWhenUnused(): void {
    if (!this.#isRetired || this.#leases > 0 || this.#isClosed) return;
    this.#isClosed = true;
    this.#executor.close();
  }
}
