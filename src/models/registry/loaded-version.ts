import { ServiceError } from '../../errors.js';
import { type CallContext, type Caller, createCall } from '../../inference/batching/call-context.js';
import type { Executor } from '../../inference/engine/executor.js';
import type { Reference } from '../examples/reference.js';
import type { Manifest } from '../manifest/manifest.js';
import { withDefaults } from '../manifest/runtime-defaults.js';
import type { Task } from '../tasks/task.js';

export interface LoadStats {
  /** From the first byte read until the last golden row passed. */
  readonly loadMs: number;
  /** Time in which the engine opened the model, in the sandbox. */
  readonly openMs: number;
  /** The shortest of several runs of one row, and of a full batch if the task has batches: the engine's own time. */
  readonly runMs: number;
  readonly batchRunMs?: number;
  readonly batchRows: number;
  /** Why a run is limited to one row, or one request, although the manifest allows more. */
  readonly batchReason?: string;
  /** The largest difference between a row's values in a batch and alone, as a share of their column's largest. */
  readonly batchDifference?: number;
  /** The size of the outputs of a full batch, as tensors. */
  readonly outputBytes: number;
  /** Inline: what the version added to the sandbox's memory, and at least its file. Isolated: all of its child's. */
  readonly memoryBytes: number;
  readonly goldenRows: number;
  /** Why the version runs inline or isolated. */
  readonly executorReason: string;
  /** Why answers are not cached; undefined if they may be. */
  readonly uncachedReason: string | undefined;
  /** Advice for the version's owner: one sentence each, with a remedy. A note disappears after its remedy. */
  readonly notes: readonly string[];
}

/**
 * A version that has passed its digests and golden rows. Requests borrow it by leases. After `retire`, the session is
 * released when the last lease ends, and not before.
 */
export class LoadedVersion {
  readonly manifest: Manifest;
  readonly identity: string;
  readonly task: Task;
  readonly loadStats: LoadStats;
  readonly executorKind: Executor['kind'];
  /** The longest time from a request's arrival to its answer. */
  readonly timeoutMs: number;
  /** A quarter of the queue. A request of more rows would be admitted only if hardly any other request waits. */
  readonly maxRows: number;
  /** Members at the end of every answer's JSON object; the prediction's id follows. */
  readonly versionFieldsJson: string;
  /** What the training data looked like; undefined without a `reference.json`, and if it is unusable. */
  readonly reference: Reference | undefined;
  /** Why `reference.json` is unusable: requests are answered nevertheless. */
  readonly referenceFault: string | undefined;
  readonly #executor: Executor;
  #leases = 0;
  #isRetired = false;
  /** Only with `#isRetired`, and with a lease only after `abandon`. */
  #isClosed = false;

  constructor(parts: {
    manifest: Manifest;
    identity: string;
    task: Task;
    loadStats: LoadStats;
    executor: Executor;
    reference?: Reference | undefined;
    referenceFault?: string | undefined;
  }) {
    this.manifest = parts.manifest;
    this.identity = parts.identity;
    this.task = parts.task;
    this.loadStats = parts.loadStats;
    this.reference = parts.reference;
    this.referenceFault = parts.referenceFault;
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

  get isCacheable(): boolean {
    return this.loadStats.uncachedReason === undefined;
  }

  createCall(caller: Caller): CallContext {
    return createCall(caller, this.timeoutMs);
  }

  /** The manifest turns the cache on, whatever it costs. */
  get isCacheForced(): boolean {
    return this.manifest.runtime?.cache === true;
  }

  /** Why the version cannot run at the moment, for an operator. */
  get fault(): string | undefined {
    return this.#executor.fault;
  }

  /** Borrows the version; each call needs one `release`. Throws `model_unavailable` after the session's release. */
  lease(): this {
    if (this.#isClosed) {
      const detail = `${this.name} ${this.version} has retired.`;
      throw new ServiceError('model_unavailable', { detail, retryAfterSeconds: 1 });
    }
    this.#leases += 1;
    return this;
  }

  release(): void {
    this.#leases -= 1;
    this.#closeWhenUnused();
  }

  /** Releases the session as soon as no lease is left. Safe to call twice. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#closeWhenUnused();
  }

  /** Retires, and closes an isolated executor at once: its run may never end. An inline run ends by itself. */
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
