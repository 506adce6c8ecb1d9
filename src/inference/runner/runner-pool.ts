import { type RunnerProcess, startRunnerProcess } from './runner-process.js';

/** A child without a model takes some 60 MB. With less memory available than this, none is kept. */
const minAvailableBytes = 256 * 1_024 * 1_024;

/**
 * The source of children, for models to be tried and for isolated executors. One child without a model is kept ready:
 * starting a process takes longer than loading most models.
 */
export class RunnerPool {
  readonly #maxMemoryBytes: number;
  #ready: RunnerProcess | undefined;
  #isClosed = false;

  constructor(maxMemoryBytes: number) {
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  /** Starts the ready child if there is none. Call it when no other child is starting, to leave that one the processor. */
  warm(): void {
    if (this.#isClosed || this.#ready?.isAlive || process.availableMemory() < minAvailableBytes) return;
    this.#keep(startRunnerProcess(this.#maxMemoryBytes));
  }

  /** Returns a child without a model. The caller must end it or give it back. */
  take(): RunnerProcess {
    const ready = this.#ready;
    this.#ready = undefined;
    if (!ready?.isAlive) return startRunnerProcess(this.#maxMemoryBytes);
    ready.hold(true);
    return ready;
  }

  /** Takes back a child that has closed its model. The child ends if another one is ready. */
  giveBack(runner: RunnerProcess): void {
    if (this.#isClosed || this.#ready?.isAlive) runner.kill();
    else this.#keep(runner);
  }

  /** Ends the ready child, and keeps none from now on. */
  close(): void {
    this.#isClosed = true;
    this.#ready?.kill();
  }

  #keep(runner: RunnerProcess): void {
    this.#ready = runner;
    runner.hold(false);
  }
}
