import type { Executor } from '../engine/executor.js';
import { killAfter } from './kill-after.js';
import { type ModelInput, type OpenSettings, toOpenRequest } from './model-source.js';
import type { RunnerPool } from './runner-pool.js';
import { RunnerLostError, type RunnerProcess } from './runner-process.js';

export interface SandboxOptions {
  /** The source of the children. */
  readonly pool: RunnerPool;
  readonly maxOutputBytes: number;
  readonly loadTimeoutMs: number;
}

export interface SandboxModel extends Omit<OpenSettings, 'maxOutputBytes'> {
  readonly model: ModelInput;
}

export class SandboxTimeoutError extends Error {
  override readonly name = 'SandboxTimeoutError';
}

/** Opens models to try them. */
export interface SandboxSource {
  /** Prepares the next `open`, while files are read. */
  prepare(): void;
  /** Throws `EngineError`, `RunnerLostError` and `SandboxTimeoutError`. */
  open(tried: SandboxModel): Promise<Sandbox>;
  close(): void;
}

/** A model, open in a child that serves no requests. `run` throws as `RunnerProcess.ask`, or `SandboxTimeoutError`. */
export interface Sandbox extends Pick<Executor, 'run'> {
  /** The model is open in this process, which has no child for it. */
  readonly isOwn?: boolean;
  /** Time in the child, without the transfer. */
  readonly openMs: number;
  readonly lastRunMs: number;
  /** CPU time of opening the model, which a busy machine does not lengthen. */
  readonly openCpuMs: number;
  /** The memory that the model has added to the child, and the child's whole memory. */
  measure(): Promise<{ readonly addedBytes: number; readonly residentBytes: number }>;
  /** If a run ended the child, opens the model in another one. Throws as `Sandboxes.open`. */
  renew(): Promise<void>;
  /** Returns the child, with the model open. The caller must end it. */
  adopt(): RunnerProcess;
  /** Returns the child to the pool, which keeps it for the next model if that is safe. */
  close(): Promise<void>;
}

interface OpenChild {
  readonly runner: RunnerProcess;
  readonly before: number;
  readonly openMs: number;
  readonly openCpuMs: number;
}

/** A child that grew by more than this is not used again: it keeps too much memory to measure the next model. */
const maxAddedBytes = 256 * 1_024 * 1_024;

/**
 * Opens models in children before they are served, so that no slow or crashing load affects requests. A child goes back
 * to the pool afterwards, and the next model is tried in it.
 */
export class Sandboxes implements SandboxSource {
  readonly #options: SandboxOptions;
  readonly #runners = new Set<RunnerProcess>();
  #isClosed = false;

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  /** The next child starts. */
  prepare(): void {
    this.#options.pool.warm();
  }

  /** Opens a model in a child. */
  async open(tried: SandboxModel): Promise<Sandbox> {
    let child = await this.#open(tried);
    // Cleared at the end: a model is large, and the sandbox object may live on with the loaded version.
    let renewable: SandboxModel | undefined = tried;
    let lastRunMs = 0;
    let addedBytes = 0;
    return {
      get openMs() {
        return child.openMs;
      },
      get openCpuMs() {
        return child.openCpuMs;
      },
      get lastRunMs() {
        return lastRunMs;
      },
      run: async (feeds, fetches, limitMs) => {
        const ask = () => child.runner.ask({ kind: 'run', fetches }, feeds);
        const { message, tensors } = await this.#within(child.runner, ask, limitMs);
        lastRunMs = message.ms;
        return tensors;
      },
      measure: async () => {
        const residentBytes = await this.#measure(child.runner);
        addedBytes = Math.max(0, residentBytes - child.before);
        return { addedBytes, residentBytes };
      },
      renew: async () => {
        if (!child.runner.isAlive && renewable !== undefined) child = await this.#open(renewable);
      },
      adopt: () => {
        renewable = undefined;
        this.#runners.delete(child.runner);
        return child.runner;
      },
      close: () => {
        renewable = undefined;
        return this.#putBack(child.runner, addedBytes);
      },
    };
  }

  /** Ends every child that was not adopted. */
  close(): void {
    this.#isClosed = true;
    for (const runner of this.#runners) runner.kill();
  }

  async #open({ model, title, threads }: SandboxModel): Promise<OpenChild> {
    if (this.#isClosed) throw new RunnerLostError('the sandboxes are closed');
    const { pool, maxOutputBytes } = this.#options;
    const runner = pool.take();
    this.#runners.add(runner);
    try {
      const before = await this.#measure(runner);
      const request = toOpenRequest(model, { title, threads, maxOutputBytes });
      const { message } = await this.#within(runner, () => runner.ask(...request));
      return { runner, before, openMs: message.ms, openCpuMs: message.cpuMs };
    } catch (error) {
      await this.#putBack(runner, 0);
      throw error;
    }
  }

  async #measure(runner: RunnerProcess): Promise<number> {
    return (await this.#within(runner, () => runner.ask({ kind: 'measure' }))).message.residentBytes;
  }

  async #putBack(runner: RunnerProcess, addedBytes: number): Promise<void> {
    try {
      if (!runner.isAlive) return;
      await this.#within(runner, () => runner.ask({ kind: 'close' }));
      if (addedBytes < maxAddedBytes) this.#options.pool.giveBack(runner);
      else runner.kill();
    } catch {
      // The child has ended or does not answer: the next model gets another one.
      runner.kill();
    } finally {
      this.#runners.delete(runner);
    }
  }

  async #within<T>(runner: RunnerProcess, request: () => Promise<T>, limitMs?: number): Promise<T> {
    const { loadTimeoutMs } = this.#options;
    const effectiveLimitMs = Math.min(limitMs ?? loadTimeoutMs, loadTimeoutMs);
    let isLate = false;
    const onLate = (): void => {
      isLate = true;
    };
    try {
      return await killAfter(runner, effectiveLimitMs, request, onLate);
    } catch (cause) {
      throw isLate
        ? new SandboxTimeoutError(
            `the engine took more than ${effectiveLimitMs} ms${effectiveLimitMs === loadTimeoutMs ? ' (MODEL_LOAD_TIMEOUT_MS)' : ''}`,
            { cause },
          )
        : cause;
    }
  }
}
