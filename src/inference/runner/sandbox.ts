import type { Executor } from '../engine/executor.js';
import { type ModelInput, toOpening } from './model-source.js';
import { RunnerLostError, type RunnerProcess, startRunnerProcess } from './runner-process.js';

export interface SandboxOptions {
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
  /** The longest that the engine may take to open a model, and for each run of it. */
  readonly loadTimeoutMs: number;
}

/** A model to be tried. */
export interface SandboxModel {
  readonly model: ModelInput;
  /** What the child is called meanwhile, where processes are listed. */
  readonly title: string;
  readonly threads: number;
}

/** A model took too long in its sandbox: the child was killed. */
export class SandboxTimeoutError extends Error {
  override readonly name = 'SandboxTimeoutError';
}

/**
 * One model open in a child that serves nobody. Runs throw as `RunnerProcess.ask` does, and `SandboxTimeoutError` when one
 * takes longer than its limit, or than a load may take.
 */
export interface Sandbox extends Pick<Executor, 'run'> {
  /** How long the engine took to open the model, and to make the last run, without the way there and back. */
  readonly openMs: number;
  readonly lastRunMs: number;
  /** How long the processor took to open it, whatever else the machine did. */
  readonly openCpuMs: number;
  /** What the model has added to the child's memory, and all of that memory. */
  measure(): Promise<{ readonly addedBytes: number; readonly residentBytes: number }>;
  /** Opens the model again, in another child, where a run has ended this one. Throws as `SandboxPool.open` does. */
  renew(): Promise<void>;
  /** Gives the child away, the model open in it. */
  adopt(): RunnerProcess;
  /** The child goes on to the next model, unless the last one may have left it in doubt. */
  close(): Promise<void>;
}

interface OpenChild {
  readonly runner: RunnerProcess;
  /** Its memory before the model. */
  readonly before: number;
  readonly openMs: number;
  readonly openCpuMs: number;
}

/** A child that has held so much more than it began with keeps too much of it to measure the next model in. */
const maxAddedBytes = 256 * 1_024 * 1_024;

/**
 * The children in which models are tried before they are served, so that neither a slow nor a crashing load touches
 * traffic. One child tries one model after the other; a new one is started when it was given away, ended or is busy.
 */
export class SandboxPool {
  readonly #options: SandboxOptions;
  readonly #runners = new Set<RunnerProcess>();
  #idle: RunnerProcess | undefined;
  #isClosed = false;

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  /** Starts a child before there is a model to be tried: it is there when the first has been read. */
  prepare(): void {
    this.#idle ??= this.#start();
  }

  /** Opens a model in a child. Throws `EngineError`, `RunnerLostError` and `SandboxTimeoutError`. */
  async open(tried: SandboxModel): Promise<Sandbox> {
    let child = await this.#open(tried);
    // Let go of at the end: a sandbox may live as long as what was made with it, and a model is large.
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

  /** Ends every child that was not given away. */
  close(): void {
    this.#isClosed = true;
    for (const runner of this.#runners) runner.kill();
  }

  async #open({ model, title, threads }: SandboxModel): Promise<OpenChild> {
    if (this.#isClosed) throw new RunnerLostError('no model is tried any more');
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
      // It has ended, or does not answer: the next model gets another.
      runner.kill();
    }
  }

  async #within<T>(runner: RunnerProcess, question: () => Promise<T>, limitMs?: number): Promise<T> {
    const { loadTimeoutMs } = this.#options;
    const longestMs = Math.min(limitMs ?? loadTimeoutMs, loadTimeoutMs);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      runner.kill();
    }, longestMs);
    try {
      return await question();
    } catch (cause) {
      throw isLate
        ? new SandboxTimeoutError(
            `the engine took more than ${longestMs} ms${longestMs === loadTimeoutMs ? ' (MODEL_LOAD_TIMEOUT_MS)' : ''}`,
            { cause },
          )
        : cause;
    } finally {
      clearTimeout(timer);
    }
  }
}
