import { ServiceError } from '../../errors.js';
import { pauseAfter } from '../../time/backoff.js';
import type { Executor } from '../engine/executor.js';
import type { Tensors } from '../tensors/tensor.js';
import { ModelRunner, type ModelRunnerOptions } from './model-runner.js';
import type { RunnerPool } from './runner-pool.js';
import type { RunnerProcess } from './runner-process.js';

export interface IsolatedOptions extends ModelRunnerOptions {
  /** Called once, when the executor has been closed. */
  readonly onClosed?: (() => void) | undefined;
  readonly pool: RunnerPool;
  readonly residentBytes: number;
  /** Called with the reason after a child ended unexpectedly. */
  readonly onLost?: ((how: string) => void) | undefined;
}

/** Requests wait through a pause of at most this length: another request's input ended the children. */
const maxWaitMs = 500;

/**
 * Runs in a child process, which can be killed: for models whose runs are long or may never end. One run is in progress
 * at a time. A child that ends is replaced at once. If several end without a run in between, the pause before the next
 * one doubles each time. Once a late run was killed, a spare child is kept ready if there is memory for it.
 */
export class IsolatedExecutor implements Executor {
  readonly kind = 'isolated';
  readonly #options: IsolatedOptions;
  #current: ModelRunner;
  #spare: ModelRunner | undefined;
  #keepsSpare = false;
  #tail: Promise<unknown> = Promise.resolve();
  #runs = 0;
  /** Children in a row that ended by themselves, without a successful run in between. */
  #deaths = 0;
  /** The pause before the next child. New runs wait for `over`, or fail with `error` if the pause is long. */
  #pause: { readonly error: ServiceError | undefined; readonly over: Promise<void> } | undefined;
  #openFault: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #endPause = (): void => undefined;
  #isClosed = false;

  private constructor(options: IsolatedOptions, first?: RunnerProcess) {
    this.#options = options;
    this.#current =
      first === undefined ? this.#start() : this.#watch(new ModelRunner(first, options, 'open'));
    if (first !== undefined) options.pool.warm();
  }

  /** Throws `EngineError` if the engine refuses the model, `executor_lost` if the first child ends. */
  static async open(options: IsolatedOptions): Promise<IsolatedExecutor> {
    const executor = new IsolatedExecutor(options);
    try {
      await executor.#current.opened;
      return executor;
    } catch (error) {
      executor.close();
      throw error;
    }
  }

  static adopt(first: RunnerProcess, options: IsolatedOptions): IsolatedExecutor {
    return new IsolatedExecutor(options, first);
  }

  /** Throws `EngineError`, `output_too_large`, `deadline_exceeded` at the limit, `executor_lost` without a child. */
  run(feeds: Tensors, fetches: readonly string[], limitMs?: number): Promise<Tensors> {
    // If possible, the run is sent in this turn: the caller may block this thread next.
    const isNext = this.#runs === 0 && !this.#isClosed && this.#current.isReady;
    this.#runs += 1;
    const turn = isNext
      ? this.#runIn(this.#current, feeds, fetches, limitMs)
      : this.#tail
          .then(() => this.#waitForChild())
          .then((model) => this.#runIn(model, feeds, fetches, limitMs));
    const end = (): void => {
      this.#runs -= 1;
    };
    this.#tail = turn.then(end, end);
    return turn;
  }

  get pid(): number | undefined {
    return this.#current.pid;
  }

  get fault(): string | undefined {
    if (this.#openFault !== undefined) return `no process can open it: ${this.#openFault}`;
    return (
      this.#pause?.error && `its process ended ${this.#deaths} times in a row; a new one starts after a pause`
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#endPause();
    this.#current.kill();
    this.#spare?.kill();
    this.#options.onClosed?.();
  }

  async #runIn(
    model: ModelRunner,
    feeds: Tensors,
    fetches: readonly string[],
    limitMs: number | undefined,
  ): Promise<Tensors> {
    const outputs = await model.run(feeds, fetches, limitMs);
    this.#deaths = 0;
    return outputs;
  }

  async #waitForChild(): Promise<ModelRunner> {
    for (;;) {
      if (this.#isClosed) throw new ServiceError('executor_lost');
      if (this.#pause?.error !== undefined) throw this.#pause.error;
      await this.#pause?.over;
      const model = this.#current;
      await model.opened;
      if (model.isReady) return model;
      // `#watch` awaits this promise as well, and replaces the child first.
      await model.ended;
    }
  }

  #start(): ModelRunner {
    const { pool } = this.#options;
    const model = this.#watch(new ModelRunner(pool.take(), this.#options));
    model.opened.then(
      () => {
        this.#openFault = undefined;
        pool.warm();
      },
      () => undefined,
    );
    return model;
  }

  #watch(model: ModelRunner): ModelRunner {
    void model.ended.then((how) => this.#replace(model, how));
    return model;
  }

  #replace(ended: ModelRunner, how: string): void {
    if (ended === this.#spare) this.#spare = undefined;
    if (this.#isClosed || ended !== this.#current) return;
    const { lateAfterMs, openFault } = ended;
    if (lateAfterMs === undefined) this.#deaths += 1;
    else this.#keepsSpare = true;
    this.#openFault = openFault;
    this.#options.onLost?.(describeLoss(how, ended));
    const pauseMs = pauseAfter(this.#deaths);
    if (pauseMs === 0) {
      this.#restart();
      return;
    }
    const error =
      pauseMs > maxWaitMs
        ? new ServiceError('executor_lost', { retryAfterSeconds: Math.ceil(pauseMs / 1_000) })
        : undefined;
    const over = new Promise<void>((resolve) => {
      this.#timer = setTimeout(() => {
        this.#restart();
        resolve();
      }, pauseMs);
      this.#endPause = resolve;
    });
    this.#pause = { error, over };
  }

  #restart(): void {
    this.#pause = undefined;
    this.#current = this.#spare ?? this.#start();
    this.#spare = undefined;
    if (!this.#keepsSpare) return;
    const prepare = (): void => {
      if (!this.#isClosed && this.#hasRoom()) this.#spare ??= this.#start();
    };
    this.#current.opened.then(prepare, () => undefined);
  }

  /** Whether there is memory for a spare child, and as much again in reserve. */
  #hasRoom(): boolean {
    return process.availableMemory() > 2 * this.#options.residentBytes;
  }
}

function describeLoss(how: string, { openFault, lateAfterMs }: ModelRunner): string {
  if (openFault !== undefined) return `it could not open the model: ${openFault}`;
  return lateAfterMs === undefined ? how : `${how}, for a run of over ${lateAfterMs} ms`;
}
