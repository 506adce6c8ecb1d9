import type { Executor } from '../engine/executor.js';
import { type ModelInput, toOpening } from './model-source.js';
import { RunnerLostError, type RunnerProcess, startRunnerProcess } from './runner-process.js';

export interface SandboxOptions {
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
  readonly loadTimeoutMs: number;
}

export interface SandboxModel {
  readonly model: ModelInput;
  readonly title: string;
  readonly threads: number;
}

export class SandboxTimeoutError extends Error {
  override readonly name = 'SandboxTimeoutError';
}

/** A model, open in a child that serves no requests. `run` throws as `RunnerProcess.ask`, or `SandboxTimeoutError`. */
export interface Sandbox extends Pick<Executor, 'run'> {
  /** Time in the child, without the transfer. */
  readonly openMs: number;
  readonly lastRunMs: number;
  /** CPU time of opening the model, which a busy machine does not lengthen. */
  readonly openCpuMs: number;
  /** The memory that the model has added to the child, and the child's whole memory. */
  measure(): Promise<{ readonly addedBytes: number; readonly residentBytes: number }>;
  /** If a run ended the child, opens the model in another one. Throws as `SandboxPool.open`. */
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
 * The children in which models are tried before they are served, so that no slow or crashing load affects requests. One
 * child tries one model after the other. A new child is started if the last one was adopted, has ended or is busy.
 */
export class SandboxPool {
  readonly #options: SandboxOptions;
  readonly #runners = new Set<RunnerProcess>();
  #idle: RunnerProcess | undefined;
  #isClosed = false;

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  /** Starts a child early, while the first model is still being read. */
  prepare(): void {
    this.#idle ??= this.#start();
  }

  /** Opens a model in a child. Throws `EngineError`, `RunnerLostError` and `SandboxTimeoutError`. */
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
    const { maxOutputBytes } = this.#options;
    const runner = this.#idle?.isAlive ? this.#idle : this.#start();
    if (runner === this.#idle) this.#idle = undefined;
    runner.hold(true);
    try {
      const before = await this.#measure(runner);
      const { path, copy, tensors } = toOpening(model);
      const open = { kind: 'open', path, copy, title, threads, maxOutputBytes } as const;
      const { message } = await this.#within(runner, () => runner.ask(open, tensors));
      return { runner, before, openMs: message.ms, openCpuMs: message.cpuMs };
    } catch (error) {
      await this.#putBack(runner, 0);
      throw error;
    }
  }

  async #measure(runner: RunnerProcess): Promise<number> {
    return (await this.#within(runner, () => runner.ask({ kind: 'measure' }))).message.residentBytes;
  }

  #start(): RunnerProcess {
    const runner = startRunnerProcess(this.#options.maxMemoryBytes);
    runner.hold(false);
    this.#runners.add(runner);
    void runner.ended.then(() => this.#runners.delete(runner));
    return runner;
  }

  async #putBack(runner: RunnerProcess, addedBytes: number): Promise<void> {
    try {
      if (!runner.isAlive) return;
      await this.#within(runner, () => runner.ask({ kind: 'close' }));
      runner.hold(false);
      if (this.#idle === undefined && addedBytes < maxAddedBytes) this.#idle = runner;
      else runner.kill();
    } catch {
      // The child has ended or does not answer: the next model gets another one.
      runner.kill();
    }
  }

  async #within<T>(runner: RunnerProcess, request: () => Promise<T>, limitMs?: number): Promise<T> {
    const { loadTimeoutMs } = this.#options;
    const effectiveLimitMs = Math.min(limitMs ?? loadTimeoutMs, loadTimeoutMs);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      runner.kill();
    }, effectiveLimitMs);
    try {
      return await request();
    } catch (cause) {
      throw isLate
        ? new SandboxTimeoutError(
            `the engine took more than ${effectiveLimitMs} ms${effectiveLimitMs === loadTimeoutMs ? ' (MODEL_LOAD_TIMEOUT_MS)' : ''}`,
            { cause },
          )
        : cause;
    } finally {
      clearTimeout(timer);
    }
  }
}
