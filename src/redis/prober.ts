import { noAnswer, withDeadline } from '../time/deadline.js';
import type { LinkHealth } from './link-health.js';
import { type FaultReading, noAnswerInTime } from './redis-errors.js';

/** A probe that was answered after so long has met a Redis that stood still; sooner, one that is slow. */
const thawMs = 500;
/**
 * While all is well: often enough for a Redis or a router that closes idle connections, and so that a failover is seen
 * by /health although nobody asks.
 */
const wellMs = 1_000;
const noAnswerFound: FaultReading = { fault: noAnswerInTime, error: undefined };

/** What is probed. */
export interface ProbeTarget {
  isReady(): boolean;
  /** Asks for all that is needed. What is missing, or undefined; never rejects. */
  findOutage(): Promise<FaultReading | undefined>;
  /** Gives the connection up for a new one. */
  reconnect(): void;
}

/**
 * Finds out by itself whether Redis serves, with traffic or without: on each new connection at once, now and then while
 * it does, and after each pause of the breakers while it does not. A probe has the same deadline as questions have, so
 * that a Redis that has become slow is away as well.
 */
export class Prober {
  readonly #probed: ProbeTarget;
  readonly #health: LinkHealth;
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** The last probe on this connection, while it has no answer, however late. */
  #open: object | undefined;
  #isStopped = false;

  constructor(probed: ProbeTarget, health: LinkHealth, timeoutMs: number) {
    this.#probed = probed;
    this.#health = health;
    this.#timeoutMs = timeoutMs;
  }

  /** To be called after each change. Without a connection there is nothing to plan: the next one does. */
  plan(): void {
    if (this.#isStopped || !this.#probed.isReady()) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#probed.isReady()) return;
      // The other end may be gone without a word, or no longer be the one that serves.
      if (this.#open !== undefined || this.#health.isElsewhere) this.#probed.reconnect();
      else void this.#probe();
    }, this.#health.probeInMs ?? wellMs);
    this.#timer.unref();
  }

  /** Probes now, unless that is under way. */
  check(): void {
    if (!this.#isStopped && this.#open === undefined && this.#probed.isReady()) void this.#probe();
  }

  /** The connection is gone, and what was asked on it. */
  forget(): void {
    this.#open = undefined;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    clearTimeout(this.#timer);
    this.#health.startProbe();
    const sentAt = performance.now();
    const open = {};
    this.#open = open;
    const question = this.#probed.findOutage();
    void question.then(() => {
      if (this.#open !== open) return;
      this.#open = undefined;
      if (performance.now() - sentAt >= thawMs && this.#isWaiting()) void this.#probe();
    });
    let found = await withDeadline(question, this.#timeoutMs);
    // One answer that is late is no outage: as many are waited for as of questions.
    while (found === noAnswer && this.#health.mayRead && this.#open === open) {
      this.#health.fail(noAnswerFound, false);
      if (this.#health.mayRead) found = await withDeadline(question, this.#timeoutMs);
    }
    if (this.#isStopped) return;
    this.#health.endProbe(found === noAnswer ? noAnswerFound : found);
    this.plan();
  }

  #isWaiting(): boolean {
    return !this.#isStopped && !this.#health.mayRead && this.#health.probeInMs !== undefined;
  }
}
