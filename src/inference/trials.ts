import type { Executor } from './executor.js';
import { type HostProcess, startHostProcess } from './host-process.js';
import type { Tensors } from './tensor.js';

export interface TrialOptions {
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
  /** The longest that the engine may take to open a model, and for each run of it. */
  readonly loadTimeoutMs: number;
}

/** A model to be tried: its bytes, or a path where it has external weights. */
export interface TrialModel {
  readonly bytes?: Uint8Array | undefined;
  readonly path?: string | undefined;
  readonly copy?: string | undefined;
  /** What the child is called meanwhile, where processes are listed. */
  readonly title: string;
  readonly threads: number;
}

/** Why a trial came to no end: the child was killed, since the engine took too long. */
export class TrialTimeoutError extends Error {
  override readonly name = 'TrialTimeoutError';
}

/** One model open in a child that serves nobody. Runs throw as `HostProcess.ask` does, and `TrialTimeoutError`. */
export interface Trial extends Pick<Executor, 'run'> {
  /** How long the engine took to open the model, and to make the last run, without the way there and back. */
  readonly openMs: number;
  readonly lastRunMs: number;
  /** What the model has added to the child's memory, and all of that memory. */
  measure(): Promise<{ readonly addedBytes: number; readonly residentBytes: number }>;
  /** Gives the child away, the model open in it. */
  keep(): HostProcess;
  /** Ends the trial: the child goes on to the next model, unless the last one may have left it in doubt. */
  end(): Promise<void>;
}

/** A child that has held so much more than it began with keeps too much of it to measure the next model in. */
const mostAddedBytes = 256 * 1_024 * 1_024;

/**
 * The children in which models are tried before they are served, so that neither a slow nor a crashing load touches
 * traffic. One child tries one model after the other; a new one is started when it was given away, ended or is busy.
 */
export class Trials {
  readonly #options: TrialOptions;
  readonly #hosts = new Set<HostProcess>();
  #idle: HostProcess | undefined;

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  /** Starts a child before there is a model to be tried: it is there when the first has been read. */
  prepare(): void {
    this.#idle ??= this.#start();
  }

  /** Opens a model in a child. Throws `EngineError`, `HostLostError` and `TrialTimeoutError`. */
  async begin({ bytes, path, copy, title, threads }: TrialModel): Promise<Trial> {
    const { maxOutputBytes } = this.#options;
    const host = this.#idle?.isAlive ? this.#idle : this.#start();
    if (host === this.#idle) this.#idle = undefined;
    host.hold(true);
    const ask = <T>(question: () => Promise<T>): Promise<T> => this.#within(host, question);
    const measure = async (): Promise<number> =>
      (await ask(() => host.ask({ kind: 'measure' }))).message.residentBytes;
    let before = 0;
    let openMs = 0;
    try {
      before = await measure();
      const model: Tensors =
        bytes === undefined ? {} : { model: { type: 'uint8', dims: [bytes.length], data: bytes } };
      const { message } = await ask(() =>
        host.ask({ kind: 'open', path, copy, title, threads, maxOutputBytes }, model),
      );
      openMs = message.ms;
    } catch (error) {
      await this.#putBack(host, 0);
      throw error;
    }
    let lastRunMs = 0;
    let addedBytes = 0;
    return {
      openMs,
      get lastRunMs() {
        return lastRunMs;
      },
      async run(feeds, fetches) {
        const { message, tensors } = await ask(() => host.ask({ kind: 'run', fetches }, feeds));
        lastRunMs = message.ms;
        return tensors;
      },
      async measure() {
        const residentBytes = await measure();
        addedBytes = Math.max(0, residentBytes - before);
        return { addedBytes, residentBytes };
      },
      keep: () => {
        this.#hosts.delete(host);
        return host;
      },
      end: () => this.#putBack(host, addedBytes),
    };
  }

  /** Ends every child that was not given away. */
  close(): void {
    for (const host of this.#hosts) host.kill();
  }

  #start(): HostProcess {
    const host = startHostProcess(this.#options.maxMemoryBytes);
    host.hold(false);
    this.#hosts.add(host);
    void host.ended.then(() => this.#hosts.delete(host));
    return host;
  }

  async #putBack(host: HostProcess, addedBytes: number): Promise<void> {
    try {
      if (!host.isAlive) return;
      await this.#within(host, () => host.ask({ kind: 'close' }));
      host.hold(false);
      if (this.#idle === undefined && addedBytes < mostAddedBytes) this.#idle = host;
      else host.kill();
    } catch {
      // It has ended, or does not answer: the next model gets another.
      host.kill();
    }
  }

  async #within<T>(host: HostProcess, question: () => Promise<T>): Promise<T> {
    const { loadTimeoutMs } = this.#options;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      host.kill();
    }, loadTimeoutMs);
    try {
      return await question();
    } catch (cause) {
      throw isLate
        ? new TrialTimeoutError(`the engine took more than ${loadTimeoutMs} ms (MODEL_LOAD_TIMEOUT_MS)`, {
            cause,
          })
        : cause;
    } finally {
      clearTimeout(timer);
    }
  }
}
