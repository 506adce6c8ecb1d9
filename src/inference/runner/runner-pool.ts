import { type RunnerProcess, startRunnerProcess } from './runner-process.js';

/** A child without a model takes some 60 MB. Where there is not several times as much, none is kept. */
const minAvailableBytes = 256 * 1_024 * 1_024;

/**
 * Where isolated executors get their children. While there are such executors one child is kept that has no model yet:
 * the start of a process takes longer than the load of most models, and whoever waits for a new child does not wait
 * for it.
 */
export class RunnerPool {
  readonly #maxMemoryBytes: number;
  #users = 0;
  #ready: RunnerProcess | undefined;

  /** `maxMemoryBytes`: the most memory of each child. */
  constructor(maxMemoryBytes: number) {
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  retain(): void {
    this.#users += 1;
    this.warm();
  }

  /** Ends the child that was kept, once nobody is left who could want it. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#ready?.kill();
    this.#ready = undefined;
  }

  /** A child without a model, which is the caller's from now on. */
  take(): RunnerProcess {
    const ready = this.#ready;
    this.#ready = undefined;
    if (!ready?.isAlive) return startRunnerProcess(this.#maxMemoryBytes);
    ready.hold(true);
    return ready;
  }

  /** Starts another in place of the one that was taken: called once that one has its model, to leave it the processor. */
  warm(): void {
    if (this.#users === 0 || this.#ready?.isAlive || process.availableMemory() < minAvailableBytes) return;
    this.#ready = startRunnerProcess(this.#maxMemoryBytes);
    this.#ready.hold(false);
  }
}
