import { ServiceError } from '../errors.js';
import type { Executor } from './executor.js';
import { type HostProcess, startHostProcess } from './host-process.js';
import type { Tensors } from './tensor.js';

export interface IsolatedOptions {
  /** The model, with its external weights beside it: files that nobody changes while the executor lives. */
  readonly path: string;
  readonly threads: number;
  /** The longest run: then the child is killed. */
  readonly timeoutMs: number;
  /** The longest load of a child. */
  readonly loadTimeoutMs: number;
  /** Told how a child ended that was not meant to. */
  readonly onLost?: (how: string) => void;
}

const firstBackoffMs = 100;
const longestBackoffMs = 10_000;

/**
 * Runs in a child process, which can be killed: for models whose runs are long, or may never end. One run is under
 * way at a time, and others wait for it. A child that ends is replaced at once; one after another that ends without
 * a run in between, after a pause that doubles each time.
 */
export class IsolatedExecutor implements Executor {
  readonly kind = 'isolated';
  readonly #options: IsolatedOptions;
  /** The child with its model open, or why there is none. */
  #host: Promise<HostProcess>;
  #child: HostProcess | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  /** Children in a row that ended by themselves without a run in between. */
  #deaths = 0;
  /** The child that was killed for being late, which is no fault of the next one. */
  #late: HostProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(options: IsolatedOptions) {
    this.#options = options;
    this.#host = this.#start();
    this.#host.catch(() => undefined);
  }

  /** Starts the first child. Throws `EngineError` when it refuses the model, `executor_lost` when it ends on it. */
  static async open(options: IsolatedOptions): Promise<IsolatedExecutor> {
    const executor = new IsolatedExecutor(options);
    try {
      await executor.#host;
      return executor;
    } catch (error) {
      executor.close();
      throw error;
    }
  }

  /**
   * Runs the graph in the child. Throws `EngineError` when the engine refuses, `deadline_exceeded` when the run was
   * ended at `timeoutMs`, `executor_lost` when the child ended or none is there.
   */
  run(feeds: Tensors, fetches: readonly string[]): Promise<Tensors> {
    const turn = this.#tail.then(() => this.#run(feeds, fetches));
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** Of the child that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#child?.kill();
  }

  async #run(feeds: Tensors, fetches: readonly string[]): Promise<Tensors> {
    const host = await this.#livingHost();
    const { timeoutMs } = this.#options;
    const reply = await this.#within(timeoutMs, host, () => host.ask({ kind: 'run', feeds, fetches }));
    this.#deaths = 0;
    return reply.kind === 'ran' ? reply.outputs : {};
  }

  /** The child with its model open: the one that is being started, where the last has ended. */
  async #livingHost(): Promise<HostProcess> {
    for (;;) {
      const host = await this.#host;
      if (host.isAlive) return host;
      await host.ended;
      if (this.#isClosed) throw new ServiceError('executor_lost');
    }
  }

  async #start(): Promise<HostProcess> {
    const { path, threads, loadTimeoutMs } = this.#options;
    const host = startHostProcess();
    this.#child = host;
    void host.ended.then((how) => this.#replace(host, how));
    await this.#within(loadTimeoutMs, host, () => host.ask({ kind: 'open', path, threads }));
    return host;
  }

  /** Waits for a child's answer, and kills the child when it does not come in time. */
  async #within<T>(limitMs: number, host: HostProcess, ask: () => Promise<T>): Promise<T> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#late = host;
      host.kill();
    }, limitMs);
    try {
      return await ask();
    } catch (cause) {
      if (isLate) {
        throw new ServiceError('deadline_exceeded', {
          detail: `The run was ended after ${limitMs} ms.`,
          cause,
        });
      }
      if (!host.isAlive) throw new ServiceError('executor_lost', { cause });
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  #replace(ended: HostProcess, how: string): void {
    if (this.#isClosed || this.#child !== ended) return;
    this.#options.onLost?.(how);
    if (ended !== this.#late) this.#deaths += 1;
    const pauseMs =
      this.#deaths < 2 ? 0 : Math.min(firstBackoffMs * 2 ** (this.#deaths - 2), longestBackoffMs);
    if (pauseMs === 0) {
      this.#restart();
      return;
    }
    const retryAfterSeconds = Math.ceil(pauseMs / 1_000);
    this.#hold(Promise.reject(new ServiceError('executor_lost', { retryAfterSeconds })));
    this.#timer = setTimeout(() => this.#restart(), pauseMs);
  }

  #restart(): void {
    this.#hold(this.#start());
  }

  /** A start that fails is told to those who run, and to nobody else. */
  #hold(host: Promise<HostProcess>): void {
    this.#host = host;
    host.catch(() => undefined);
  }
}
