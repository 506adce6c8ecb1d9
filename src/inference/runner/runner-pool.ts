import { type RunnerProcess, startRunnerProcess } from './runner-process.js';

/** A child without a model takes some 60 MB. With less memory available than this, none is kept. */
const minAvailableBytes = 256 * 1_024 * 1_024;

/** Keeps one child without a model ready for isolated executors: starting a process takes longer than most loads. */
export class RunnerPool {
  readonly #maxMemoryBytes: number;
  #users = 0;
  #ready: RunnerProcess | undefined;

  constructor(maxMemoryBytes: number) {
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  retain(): void {
    this.#users += 1;
    this.warm();
  }

  /** Ends the ready child when the last executor has closed. */
  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#ready?.kill();
    this.#ready = undefined;
  }

  /** Returns a child without a model. The caller must end it. */
  take(): RunnerProcess {
    const ready = this.#ready;
    this.#ready = undefined;
    if (!ready?.isAlive) return startRunnerProcess(this.#maxMemoryBytes);
    ready.hold(true);
    return ready;
  }

  /** Replaces a child that was taken. Call it when that child has its model, to leave it the processor. */
  warm(): void {
    if (this.#users === 0 || this.#ready?.isAlive || process.availableMemory() < minAvailableBytes) return;
    this.#ready = startRunnerProcess(this.#maxMemoryBytes);
    this.#ready.hold(false);
  }
}
