import { messageOf, ServiceError } from '../../errors.js';
import { RunEndedError } from '../engine/executor.js';
import type { Tensors } from '../tensors/tensor.js';
import { killAfter } from './kill-after.js';
import { type ModelInput, type ModelSource, type OpenSettings, toOpenRequest } from './model-source.js';
import type { RunnerProcess } from './runner-process.js';

export interface ModelRunnerOptions extends OpenSettings {
  readonly source: ModelSource;
  /** After this time in a run, the child is killed. */
  readonly timeoutMs: number;
  /** The limit of a load and its first run together. */
  readonly loadTimeoutMs: number;
  /** The first run, which is slower than others. No request waits for it. */
  readonly warmUp?: { readonly feeds: Tensors; readonly fetches: readonly string[] } | undefined;
}

/** One child process with one model. The child is killed when it exceeds a limit. */
export class ModelRunner {
  /** Resolves when the model is open. Rejects with `EngineError` if the engine refuses it, or with `executor_lost`. */
  readonly opened: Promise<unknown>;
  readonly #runner: RunnerProcess;
  readonly #options: ModelRunnerOptions;
  #isOpen = false;
  #lateAfterMs: number | undefined;
  #openFault: string | undefined;

  constructor(runner: RunnerProcess, options: ModelRunnerOptions, state: 'blank' | 'open' = 'blank') {
    this.#runner = runner;
    this.#options = options;
    this.#isOpen = state === 'open';
    this.opened = state === 'open' ? Promise.resolve() : this.#load();
    // A child without a model is useless. Callers that await `opened` get the reason.
    this.opened.catch((error: Error) => {
      if (runner.isAlive) this.#openFault = messageOf(error.cause ?? error);
      runner.kill();
    });
  }

  get pid(): number | undefined {
    return this.#runner.pid;
  }

  get isReady(): boolean {
    return this.#isOpen && this.#runner.isAlive;
  }

  /** The limit at which the child was killed; undefined if it was not. */
  get lateAfterMs(): number | undefined {
    return this.#lateAfterMs;
  }

  get openFault(): string | undefined {
    return this.#openFault;
  }

  get ended(): Promise<string> {
    return this.#runner.ended;
  }

  /** Throws `EngineError` if the engine refuses, and what `Executor.run` throws. */
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
    const { warmUp } = this.#options;
    await this.#runner.ask(...toOpenRequest(model, this.#options));
    if (warmUp !== undefined) await this.#runner.ask({ kind: 'run', fetches: warmUp.fetches }, warmUp.feeds);
    this.#isOpen = true;
  }

  async #within<T>(limitMs: number, ask: () => Promise<T>): Promise<T> {
    const onLate = (): void => {
      this.#lateAfterMs = limitMs;
    };
    try {
      return await killAfter(this.#runner, limitMs, ask, onLate);
    } catch (cause) {
      if (this.#lateAfterMs !== undefined) {
        throw new ServiceError('deadline_exceeded', { detail: `It was ended after ${limitMs} ms.`, cause });
      }
      if (!this.#runner.isAlive) throw new ServiceError('executor_lost', { cause });
      throw cause;
    }
  }
}
