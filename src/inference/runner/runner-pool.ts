import { type HostProcess, startHostProcess } from './runner-process.js';

/** A child without a model takes some 60 MB. Where there is not several times as much, none is kept. */
const leastAvailableBytes = 256 * 1_024 * 1_024;

/**
 * Where isolated executors get their children. While there are such executors one child is kept that has no model yet:
 * the start of a process takes longer than the load of most models, and whoever waits for a new child does not wait
 * for it.
 */
export class Standby {
  readonly #maxMemoryBytes: number;
  #users = 0;
  #ready: HostProcess | undefined;

  /** `maxMemoryBytes`: the most memory of each child. */
  constructor(maxMemoryBytes: number) {
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  join(): void {
    this.#users += 1;
    this.refill();
  }

  /** Ends the child that was kept, once nobody is left who could want it. */
  leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#ready?.kill();
    this.#ready = undefined;
  }

  /** A child without a model, which is the caller's from now on. */
  take(): HostProcess {
    const ready = this.#ready;
    this.#ready = undefined;
    if (!ready?.isAlive) return startHostProcess(this.#maxMemoryBytes);
    ready.hold(true);
    return ready;
  }

  /** Starts another in place of the one that was taken: called once that one has its model, to leave it the processor. */
  refill(): void {
    if (this.#users === 0 || this.#ready?.isAlive || process.availableMemory() < leastAvailableBytes) return;
    this.#ready = startHostProcess(this.#maxMemoryBytes);
    this.#ready.hold(false);
  }
}
