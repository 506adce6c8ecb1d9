import type { Executor } from '../engine/executor.js';
import { type ModelInput, toOpening } from './model-source.js';
import { HostLostError, type HostProcess, startHostProcess } from './runner-process.js';

export interface TrialOptions {
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
  /** The longest that the engine may take to open a model, and for each run of it. */
  readonly loadTimeoutMs: number;
}

/** A model to be tried. */
export interface TrialModel {
  readonly model: ModelInput;
  /** What the child is called meanwhile, where processes are listed. */
  readonly title: string;
  readonly threads: number;
}

/** Why a trial came to no end: the child was killed, since the engine took too long. */
export class TrialTimeoutError extends Error {
  override readonly name = 'TrialTimeoutError';
}

/**
 * One model open in a child that serves nobody. Runs throw as `HostProcess.ask` does, and `TrialTimeoutError` when one
 * takes longer than its limit, or than a load may take.
 */
export interface Trial extends Pick<Executor, 'run'> {
  /** How long the engine took to open the model, and to make the last run, without the way there and back. */
  readonly openMs: number;
  readonly lastRunMs: number;
  /** How long the processor took to open it, whatever else the machine did. */
  readonly openCpuMs: number;
  /** What the model has added to the child's memory, and all of that memory. */
  measure(): Promise<{ readonly addedBytes: number; readonly residentBytes: number }>;
  /** Opens the model again, in another child, where a run has ended this one. Throws as `Trials.begin` does. */
  renew(): Promise<void>;
  /** Gives the child away, the model open in it. */
  keep(): HostProcess;
  /** Ends the trial: the child goes on to the next model, unless the last one may have left it in doubt. */
  end(): Promise<void>;
}

interface OpenChild {
  readonly host: HostProcess;
  /** Its memory before the model. */
  readonly before: number;
  readonly openMs: number;
  readonly openCpuMs: number;
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
  #isClosed = false;

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  /** Starts a child before there is a model to be tried: it is there when the first has been read. */
  prepare(): void {
    this.#idle ??= this.#start();
  }

  /** Opens a model in a child. Throws `EngineError`, `HostLostError` and `TrialTimeoutError`. */
  async begin(tried: TrialModel): Promise<Trial> {
    let child = await this.#open(tried);
    // Let go of at the end: a trial may live as long as what was made with it, and a model is large.
    let renewable: TrialModel | undefined = tried;
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
        const ask = () => child.host.ask({ kind: 'run', fetches }, feeds);
        const { message, tensors } = await this.#within(child.host, ask, limitMs);
        lastRunMs = message.ms;
        return tensors;
      },
      measure: async () => {
        const residentBytes = await this.#measure(child.host);
        addedBytes = Math.max(0, residentBytes - child.before);
        return { addedBytes, residentBytes };
      },
      renew: async () => {
        if (!child.host.isAlive && renewable !== undefined) child = await this.#open(renewable);
      },
      keep: () => {
        renewable = undefined;
        this.#hosts.delete(child.host);
        return child.host;
      },
      end: () => {
        renewable = undefined;
        return this.#putBack(child.host, addedBytes);
      },
    };
  }

  /** Ends every child that was not given away. */
  close(): void {
    this.#isClosed = true;
    for (const host of this.#hosts) host.kill();
  }

  async #open({ model, title, threads }: TrialModel): Promise<OpenChild> {
    if (this.#isClosed) throw new HostLostError('no model is tried any more');
    const { maxOutputBytes } = this.#options;
    const host = this.#idle?.isAlive ? this.#idle : this.#start();
    if (host === this.#idle) this.#idle = undefined;
    host.hold(true);
    try {
      const before = await this.#measure(host);
      const { path, copy, tensors } = toOpening(model);
      const open = { kind: 'open', path, copy, title, threads, maxOutputBytes } as const;
      const { message } = await this.#within(host, () => host.ask(open, tensors));
      return { host, before, openMs: message.ms, openCpuMs: message.cpuMs };
    } catch (error) {
      await this.#putBack(host, 0);
      throw error;
    }
  }

  async #measure(host: HostProcess): Promise<number> {
    return (await this.#within(host, () => host.ask({ kind: 'measure' }))).message.residentBytes;
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

  async #within<T>(host: HostProcess, question: () => Promise<T>, limitMs?: number): Promise<T> {
    const { loadTimeoutMs } = this.#options;
    const longestMs = Math.min(limitMs ?? loadTimeoutMs, loadTimeoutMs);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      host.kill();
    }, longestMs);
    try {
      return await question();
    } catch (cause) {
      throw isLate
        ? new TrialTimeoutError(
            `the engine took more than ${longestMs} ms${longestMs === loadTimeoutMs ? ' (MODEL_LOAD_TIMEOUT_MS)' : ''}`,
            { cause },
          )
        : cause;
    } finally {
      clearTimeout(timer);
    }
  }
}
