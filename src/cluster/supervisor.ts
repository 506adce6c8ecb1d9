import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Config } from '../config/read-config.js';
import { ConfigError } from '../errors.js';
import { ClusterReport } from './cluster-report.js';
import type { ClusterFacts, Question, StartSummary, Subject } from './messages.js';
import { type WorkerEnd, WorkerSlot } from './worker-slot.js';

export type SupervisorConfig = Pick<
  Config,
  'WORKERS' | 'WORKER_SILENCE_TIMEOUT_MS' | 'SHUTDOWN_DELAY_MS' | 'SHUTDOWN_TIMEOUT_MS'
>;

/** Extra time that a worker gets for its end, beyond the configured times. */
const graceMs = 2_000;

// `npm run dev` runs the sources: a worker gets the same loader as its supervisor.
const entry = new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url);

/**
 * Keeps the configured number of workers running. A worker that ends is replaced, at once or after a pause; a stuck
 * worker is killed first. If a worker ends before any worker of its slot has loaded its models, the whole server
 * stops: the next worker would fail as well.
 */
export class Supervisor {
  readonly #config: SupervisorConfig;
  readonly #logger: Logger;
  readonly #slots: readonly WorkerSlot[];
  readonly #report: ClusterReport;
  #onListening: ((url: string) => void) | undefined;
  #settleStart: { resolve(summary?: StartSummary): void; reject(error: Error): void } | undefined;
  #failure: readonly string[] | undefined;
  /** The signal that stopped it. Once it is set, workers are no longer replaced. */
  #signal: NodeJS.Signals | undefined;
  #stopped: Promise<boolean> | undefined;
  #endedWell = true;
  #onEmpty: (() => void) | undefined;

  constructor(config: SupervisorConfig, environment: NodeJS.ProcessEnv, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.#slots = Array.from({ length: config.WORKERS }, (_unused, k) => {
      const slot: WorkerSlot = new WorkerSlot(k + 1, environment, config.WORKER_SILENCE_TIMEOUT_MS, {
        onListening: (url) => this.#tellListening(url),
        onLoaded: (summary) => this.#onLoaded(summary),
        onFailure: (lines) => this.#onFailure(slot, lines),
        onSilence: (pid) => this.#onSilence(slot, pid),
        onEnd: (end) => this.#onEnd(slot, end),
        onAsk: (question) => this.#answer(question),
      });
      return slot;
    });
    this.#report = new ClusterReport(this.#slots);
  }

  get isStopping(): boolean {
    return this.#signal !== undefined;
  }

  /**
   * Starts the workers, and calls `onListening` once all listen. Resolves once all models are loaded, or with undefined
   * if the supervisor was stopped before. Rejects with `ConfigError` if they cannot start; all workers have ended then.
   */
  start(onListening: (url: string) => void): Promise<StartSummary | undefined> {
    this.#onListening = onListening;
    cluster.setupPrimary({ exec: fileURLToPath(entry), args: [] });
    return new Promise((resolve, reject) => {
      this.#settleStart = { resolve, reject };
      for (const slot of this.#slots) slot.start();
    });
  }

  reload(): void {
    for (const slot of this.#slots) slot.reload();
  }

  /** Sends the first signal to all workers. Resolves when all have ended: true if all exited cleanly. */
  stop(signal: NodeJS.Signals): Promise<boolean> {
    this.#signal ??= signal;
    this.#stopped ??= this.#end(signal);
    return this.#stopped;
  }

  async #end(signal: NodeJS.Signals): Promise<boolean> {
    const { SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS } = this.#config;
    const kill = setTimeout(
      () => {
        this.#logger.error('the shutdown took too long: the remaining workers are killed');
        for (const slot of this.#slots) slot.end('SIGKILL');
      },
      SHUTDOWN_DELAY_MS + SHUTDOWN_TIMEOUT_MS + graceMs,
    );
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      for (const slot of this.#slots) slot.end(signal);
      this.#tellEmpty();
    });
    clearTimeout(kill);
    if (this.#failure === undefined) this.#settleStart?.resolve();
    else this.#settleStart?.reject(new ConfigError(this.#failure));
    return this.#endedWell;
  }

  #tellListening(url: string): void {
    if (!this.#slots.every(({ isListening }) => isListening)) return;
    this.#onListening?.(url);
    this.#onListening = undefined;
  }

  #onLoaded(summary: StartSummary): void {
    if (this.#slots.every(({ isLoaded }) => isLoaded)) this.#settleStart?.resolve(summary);
  }

  #onFailure(slot: WorkerSlot, lines: readonly string[]): void {
    if (slot.hasLoaded) this.#logger.error({ worker: slot.number, lines }, 'a worker cannot start');
    else this.#fail(lines);
  }

  #onSilence(slot: WorkerSlot, worker_pid: number | undefined): void {
    const fields = { worker: slot.number, worker_pid, silence_ms: this.#config.WORKER_SILENCE_TIMEOUT_MS };
    this.#logger.error(fields, 'a worker does not answer its supervisor: it is killed');
  }

  #onEnd(slot: WorkerSlot, { pid, how, code, signal }: WorkerEnd): void {
    this.#report.retire(slot);
    if (this.isStopping) {
      // A worker that is still starting has no handler yet: the signal itself ends it.
      if (code !== 0 && signal !== this.#signal) this.#endedWell = false;
      this.#tellEmpty();
      return;
    }
    if (!slot.hasLoaded && signal !== 'SIGHUP') {
      const step = slot.hasListened ? 'its models were loaded' : 'it listened';
      this.#fail([`worker ${slot.number} ended before ${step} (${how})`]);
      return;
    }
    this.#report.countRestart();
    const pause_ms = slot.restart();
    this.#logger.warn({ worker: slot.number, ended_pid: pid, how, pause_ms }, 'a worker has ended');
  }

  #fail(lines: readonly string[]): void {
    if (this.isStopping) return;
    this.#failure = lines;
    void this.stop('SIGTERM');
  }

  #tellEmpty(): void {
    if (this.#slots.every(({ isEmpty }) => isEmpty)) this.#onEmpty?.();
  }

  #answer({ subject, about = [] }: Question): Promise<ClusterFacts[Subject]> {
    switch (subject) {
      case 'metrics':
        return this.#report.metrics();
      case 'readiness':
        return this.#report.readiness(this.isStopping);
      case 'forgotten':
        return this.#report.forgotten(about);
      case 'feedback':
        return this.#report.feedback(about);
      case 'quality':
        return this.#report.quality(about);
      case 'traffic':
        return this.#report.traffic();
      case 'drift':
        return this.#report.drift(about);
      default:
        return subject satisfies never;
    }
  }
}
