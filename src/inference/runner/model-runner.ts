import { messageOf, ServiceError } from '../../errors.js';
import { RunEndedError } from '../engine/executor.js';
import type { Tensors } from '../tensors/tensor.js';
import { type ModelInput, type ModelSource, toOpening } from './model-source.js';
import type { RunnerProcess } from './runner-process.js';

export interface ModelRunnerOptions {
  readonly source: ModelSource;
  /** What the child is called where processes are listed. */
  readonly title: string;
  readonly threads: number;
  readonly maxOutputBytes: number;
  /** The longest run: then the child is killed. */
  readonly timeoutMs: number;
  /** The longest load, and the longest first run. */
  readonly loadTimeoutMs: number;
  /** The first run, which is slower than others: nobody waits for its answer. */
  readonly warmUp?: { readonly feeds: Tensors; readonly fetches: readonly string[] } | undefined;
}

/** One child process with one model, which is killed when it takes longer than it may. */
export class ModelRunner {
  /** Resolves when the model is open; throws `EngineError` when the engine refuses it, `executor_lost`. */
  readonly opened: Promise<unknown>;
  readonly #runner: RunnerProcess;
  readonly #options: ModelRunnerOptions;
  #isOpen = false;
  #lateAfterMs: number | undefined;
  #openFault: string | undefined;

  /** Opens the model in a child without one, or goes on with a child that has it open. */
  constructor(runner: RunnerProcess, options: ModelRunnerOptions, state: 'blank' | 'open' = 'blank') {
    this.#runner = runner;
    this.#options = options;
    this.#isOpen = state === 'open';
    this.opened = state === 'open' ? Promise.resolve() : this.#load();
    // A child without a model is of no use; why is told to those who wait for it.
    this.opened.catch((error: Error) => {
      if (runner.isAlive) this.#openFault = messageOf(error.cause ?? error);
      runner.kill();
    });
  }

  get pid(): number | undefined {
    return this.#runner.pid;
  }

  /** Whether a run can begin at once. */
  get isReady(): boolean {
    return this.#isOpen && this.#runner.isAlive;
  }

  /** The limit that the child was killed at; undefined where it was not. */
  get lateAfterMs(): number | undefined {
    return this.#lateAfterMs;
  }

  /** Why the model could not be opened in this child, in words for an operator. */
  get openFault(): string | undefined {
    return this.#openFault;
  }

  /** Resolves with how the child ended. */
  get ended(): Promise<string> {
    return this.#runner.ended;
  }

  /**
   * Throws `EngineError` when the engine refuses, `deadline_exceeded` when the run was ended at `limitMs`,
   * `executor_lost` when the child ended, both with a `RunEndedError` as their cause, and `output_too_large`.
   */
  async run(
    feeds: Tensors,
    fetches: readonly string[],
    limitMs: number = this.#options.timeoutMs,
  ): Promise<Tensors> {
    try {
      const { tensors } = await this.#within(limitMs, () =>
        this.#runner.ask({ kind: 'run', fetches }, feeds),
      );
      return tensors;
    } catch (error) {
      if (this.#runner.isAlive || !(error instanceof ServiceError)) throw error;
      const cause = new RunEndedError(await this.#runner.ended, this.#lateAfterMs !== undefined);
      throw new ServiceError(error.code, { ...(error.detail && { detail: error.detail }), cause });
    }
  }

  kill(): void {
    this.#runner.kill();
  }

  async #load(): Promise<void> {
    const { source, loadTimeoutMs } = this.#options;
    const model = await source.provide().catch((cause) => {
      throw new ServiceError('executor_lost', { cause });
    });
    await this.#within(loadTimeoutMs, () => this.#open(model));
  }

  async #open(model: ModelInput): Promise<void> {
    const { title, threads, maxOutputBytes, warmUp } = this.#options;
    const { path, copy, tensors } = toOpening(model);
    await this.#runner.ask({ kind: 'open', path, copy, title, threads, maxOutputBytes }, tensors);
    if (warmUp !== undefined) await this.#runner.ask({ kind: 'run', fetches: warmUp.fetches }, warmUp.feeds);
    this.#isOpen = true;
  }

  async #within<T>(limitMs: number, ask: () => Promise<T>): Promise<T> {
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      this.#lateAfterMs = limitMs;
      this.#runner.kill();
    };
    // Where this thread was late itself, the answer may have come, and is read before the end of this turn.
    const timer = setTimeout(() => setImmediate(end), limitMs);
    try {
      return await ask();
    } catch (cause) {
      if (this.#lateAfterMs !== undefined) {
        throw new ServiceError('deadline_exceeded', { detail: `It was ended after ${limitMs} ms.`, cause });
      }
      if (!this.#runner.isAlive) throw new ServiceError('executor_lost', { cause });
      throw cause;
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }
}
