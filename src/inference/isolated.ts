import { ServiceError } from '../errors.js';
import type { Executor } from './executor.js';
import { type HostProcess, startHostProcess } from './host-process.js';
import type { Tensors } from './tensor.js';

export interface IsolatedOptions {
  /** The model, with its external weights beside it: files that nobody changes while the executor lives. */
  readonly path: string;
  /** A folder that goes with this process, should it be killed. */
  readonly copy?: string | undefined;
  readonly threads: number;
  readonly maxOutputBytes: number;
  /** The most memory of a child, and what one is known to take. */
  readonly maxMemoryBytes: number;
  readonly residentBytes: number;
  /** The longest run: then the child is killed. */
  readonly timeoutMs: number;
  /** The longest load of a child, and its longest first run. */
  readonly loadTimeoutMs: number;
  /** The first run of each child, which is slower than others: nobody waits for its answer. */
  readonly warmUp?: { readonly feeds: Tensors; readonly fetches: readonly string[] } | undefined;
  /** Told how a child ended that was not meant to. */
  readonly onLost?: ((how: string) => void) | undefined;
}

const firstBackoffMs = 100;
const longestBackoffMs = 10_000;

/** A child, and the promise that it has its model open, which becomes `isOpen`. */
interface Hosted {
  readonly host: HostProcess;
  readonly opened: Promise<unknown>;
  isOpen: boolean;
}

/**
 * Runs in a child process, which can be killed: for models whose runs are long, or may never end. One run is under
 * way at a time, and others wait for it. A child that ends is replaced at once; one after another that ends without
 * a run in between, after a pause that doubles each time. Once a child had to be killed for being late, another is
 * kept ready beside the one that runs, so that the next request does not wait for a load, where there is memory.
 */
export class IsolatedExecutor implements Executor {
  readonly kind = 'isolated';
  readonly #options: IsolatedOptions;
  #current: Hosted;
  #spare: Hosted | undefined;
  #keepsSpare = false;
  #tail: Promise<unknown> = Promise.resolve();
  /** Under way and waiting. */
  #runs = 0;
  /** Children in a row that ended by themselves without a run in between. */
  #deaths = 0;
  /** The child that was killed for being late, which is no fault of the next one. */
  #late: HostProcess | undefined;
  /** What those are told who ask while there is a pause before the next child. */
  #pause: ServiceError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(options: IsolatedOptions, first?: HostProcess) {
    this.#options = options;
    if (first !== undefined) void first.ended.then((how) => this.#replace(first, how));
    this.#current =
      first === undefined ? this.#start() : { host: first, opened: Promise.resolve(), isOpen: true };
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
  static adopt(first: HostProcess, options: IsolatedOptions): IsolatedExecutor {
    return new IsolatedExecutor(options, first);
  }

  /**
   * Runs the graph in the child. Throws `EngineError` when the engine refuses, `deadline_exceeded` when the run was
   * ended at `timeoutMs`, `executor_lost` when the child ended or none is there, `output_too_large`.
   */
  run(feeds: Tensors, fetches: readonly string[]): Promise<Tensors> {
    // Sent in this very turn where it can be: what the caller does next may take this thread a while.
    const host = this.#runs === 0 ? this.#readyHost() : undefined;
    this.#runs += 1;
    const turn =
      host === undefined
        ? this.#tail.then(() => this.#livingHost()).then((living) => this.#run(living, feeds, fetches))
        : this.#run(host, feeds, fetches);
    const end = (): void => {
      this.#runs -= 1;
    };
    this.#tail = turn.then(end, end);
    return turn;
  }

  /** Of the child that runs now. */
  get pid(): number | undefined {
    return this.#current.host.pid;
  }

  get fault(): string | undefined {
    return (
      this.#pause && `its process has ended ${this.#deaths} times in a row; a new one comes after a pause`
    );
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#current.host.kill();
    this.#spare?.host.kill();
  }

  async #run(host: HostProcess, feeds: Tensors, fetches: readonly string[]): Promise<Tensors> {
    const { timeoutMs } = this.#options;
    const { tensors } = await this.#within(timeoutMs, host, () => host.ask({ kind: 'run', fetches }, feeds));
    this.#deaths = 0;
    return tensors;
  }

  /** The child, if it is known to have its model open. */
  #readyHost(): HostProcess | undefined {
    const { host, isOpen } = this.#current;
    return isOpen && host.isAlive && host !== this.#late && !this.#isClosed ? host : undefined;
  }

  /** The child with its model open: its successor, where it has ended. */
  async #livingHost(): Promise<HostProcess> {
    for (;;) {
      if (this.#isClosed) throw new ServiceError('executor_lost');
      if (this.#pause !== undefined) throw this.#pause;
      const { host, opened } = this.#current;
      await opened;
      if (host.isAlive && host !== this.#late) return host;
      // Whoever replaces it was told first.
      await host.ended;
    }
  }

  #start(): Hosted {
    const { loadTimeoutMs, maxMemoryBytes } = this.#options;
    const host = startHostProcess(maxMemoryBytes);
    void host.ended.then((how) => this.#replace(host, how));
    const opened = this.#within(loadTimeoutMs, host, () => this.#prepare(host));
    const hosted = { host, opened, isOpen: false };
    opened.then(
      () => {
        hosted.isOpen = true;
      },
      // A child without a model is of no use; why is told to those who wait for it.
      () => host.kill(),
    );
    return hosted;
  }

  async #prepare(host: HostProcess): Promise<void> {
    const { path, copy, threads, maxOutputBytes, warmUp } = this.#options;
    await host.ask({ kind: 'open', path, copy, threads, maxOutputBytes });
    if (warmUp !== undefined) await host.ask({ kind: 'run', fetches: warmUp.fetches }, warmUp.feeds);
  }

  /** Waits for a child's answer, and kills the child when it does not come in time. */
  async #within<T>(limitMs: number, host: HostProcess, ask: () => Promise<T>): Promise<T> {
    let isLate = false;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isLate = true;
      this.#late = host;
      host.kill();
    };
    // Where this thread was late itself, the answer may have come, and is read before the end of this turn.
    const timer = setTimeout(() => setImmediate(end), limitMs);
    try {
      return await ask();
    } catch (cause) {
      if (isLate) {
        throw new ServiceError('deadline_exceeded', { detail: `It was ended after ${limitMs} ms.`, cause });
      }
      if (!host.isAlive) throw new ServiceError('executor_lost', { cause });
      throw cause;
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  #replace(ended: HostProcess, how: string): void {
    if (ended === this.#spare?.host) this.#spare = undefined;
    if (this.#isClosed || ended !== this.#current.host) return;
    this.#options.onLost?.(how);
    if (ended === this.#late) this.#keepsSpare = true;
    else this.#deaths += 1;
    if (this.#deaths < 2) {
      this.#restart();
      return;
    }
    const pauseMs = Math.min(firstBackoffMs * 2 ** (this.#deaths - 2), longestBackoffMs);
    this.#pause = new ServiceError('executor_lost', { retryAfterSeconds: Math.ceil(pauseMs / 1_000) });
    this.#timer = setTimeout(() => this.#restart(), pauseMs);
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
