import { ServiceError } from '../../errors.js';
import type { Executor } from '../engine/executor.js';
import type { Tensors } from '../tensors/tensor.js';
import { ModelRunner, type ModelRunnerOptions } from './model-runner.js';
import type { RunnerPool } from './runner-pool.js';
import type { RunnerProcess } from './runner-process.js';

export interface IsolatedOptions extends ModelRunnerOptions {
  /** Where children come from. */
  readonly pool: RunnerPool;
  /** What a child is known to take of memory. */
  readonly residentBytes: number;
  /** Told how a child ended that was not meant to. */
  readonly onLost?: ((how: string) => void) | undefined;
}

const firstBackoffMs = 100;
const maxBackoffMs = 10_000;
/** What comes during a pause that is not longer waits for its end: the input that ended two children was another's. */
const maxWaitMs = 500;

/**
 * Runs in a child process, which can be killed: for models whose runs are long, or may never end. One run is under
 * way at a time, and others wait for it. A child that ends is replaced at once; one after another that ends without
 * a run in between, after a pause that doubles each time. Once a child had to be killed for being late, another is
 * kept ready beside the one that runs, so that the next request does not wait for a load, where there is memory.
 */
export class IsolatedExecutor implements Executor {
  readonly kind = 'isolated';
  readonly #options: IsolatedOptions;
  #current: ModelRunner;
  #spare: ModelRunner | undefined;
  #keepsSpare = false;
  #tail: Promise<unknown> = Promise.resolve();
  /** Under way and waiting. */
  #runs = 0;
  /** Children in a row that ended by themselves without a run in between. */
  #deaths = 0;
  /** The pause before the next child: runs that come meanwhile wait for its end, or fail where it is long. */
  #pause: { readonly error: ServiceError | undefined; readonly over: Promise<void> } | undefined;
  /** Why the last child could not open the model; undefined once one has. */
  #openFault: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #endPause = (): void => undefined;
  #isClosed = false;

  private constructor(options: IsolatedOptions, first?: RunnerProcess) {
    this.#options = options;
    options.pool.retain();
    this.#current =
      first === undefined ? this.#start() : this.#watch(new ModelRunner(first, options, 'open'));
  }

  /** Starts the first child. Throws `EngineError` when it refuses the model, `executor_lost` when it ends on it. */
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

  /** Takes over a child that has the model open already. */
  static adopt(first: RunnerProcess, options: IsolatedOptions): IsolatedExecutor {
    return new IsolatedExecutor(options, first);
  }

  /**
   * Runs the graph in the child. Throws `EngineError` when the engine refuses, `deadline_exceeded` when the run was
   * ended at `timeoutMs`, `executor_lost` when the child ended or none is there, `output_too_large`.
   */
  run(feeds: Tensors, fetches: readonly string[], limitMs?: number): Promise<Tensors> {
    // Sent in this very turn where it can be: what the caller does next may take this thread a while.
    const isNext = this.#runs === 0 && !this.#isClosed && this.#current.isReady;
    this.#runs += 1;
    const turn = isNext
      ? this.#runIn(this.#current, feeds, fetches, limitMs)
      : this.#tail.then(() => this.#living()).then((model) => this.#runIn(model, feeds, fetches, limitMs));
    const end = (): void => {
      this.#runs -= 1;
    };
    this.#tail = turn.then(end, end);
    return turn;
  }

  /** Of the child that runs now. */
  get pid(): number | undefined {
    return this.#current.pid;
  }

  get fault(): string | undefined {
    if (this.#openFault !== undefined) return `no process can open it: ${this.#openFault}`;
    return (
      this.#pause?.error &&
      `its process has ended ${this.#deaths} times in a row; a new one comes after a pause`
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#endPause();
    this.#current.kill();
    this.#spare?.kill();
    this.#options.pool.release();
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

  /** The child with its model open: its successor, where it has ended. */
  async #living(): Promise<ModelRunner> {
    for (;;) {
      if (this.#isClosed) throw new ServiceError('executor_lost');
      if (this.#pause?.error !== undefined) throw this.#pause.error;
      await this.#pause?.over;
      const model = this.#current;
      await model.opened;
      if (model.isReady) return model;
      // Whoever replaces it was told first.
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
    if (this.#deaths < 2) {
      this.#restart();
      return;
    }
    const pauseMs = Math.min(firstBackoffMs * 2 ** (this.#deaths - 2), maxBackoffMs);
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

  /** Whether there is memory for a spare child, and as much again for what else may come. */
  #hasRoom(): boolean {
    return process.availableMemory() > 2 * this.#options.residentBytes;
  }
}

function describeLoss(how: string, { openFault, lateAfterMs }: ModelRunner): string {
  if (openFault !== undefined) return `it could not open the model: ${openFault}`;
  return lateAfterMs === undefined ? how : `${how}, for a run beyond ${lateAfterMs} ms`;
}
