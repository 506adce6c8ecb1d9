import { noAnswer, withDeadline } from './deadline.js';
import type { LinkHealth } from './link-health.js';
import { type Finding, noAnswerInTime } from './redis-fault.js';

/** A probe that was answered after so long has met a Redis that stood still; sooner, one that is slow. */
const thawMs = 500;

/** What is probed. */
export interface Probed {
  isReady(): boolean;
  /** Asks for all that is needed. What is missing, or undefined; never rejects. */
  findAbsence(): Promise<Finding | undefined>;
  /** Gives the connection up for a new one. */
  reconnect(): void;
}

/**
 * Finds out by itself when Redis serves again, with traffic or without: one probe after each pause of the breakers,
 * by the same deadline as questions have, so that a Redis that has become slow is away as well.
 */
export class Prober {
  readonly #probed: Probed;
  readonly #health: LinkHealth;
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** The last probe on this connection, while it has no answer, however late. */
  #open: object | undefined;
  #isStopped = false;

  constructor(probed: Probed, health: LinkHealth, timeoutMs: number) {
    this.#probed = probed;
    this.#health = health;
    this.#timeoutMs = timeoutMs;
  }

  /** To be called after each change. Without a connection there is nothing to plan: the next one does. */
  plan(): void {
    const { probeInMs } = this.#health;
    if (this.#isStopped || probeInMs === undefined || !this.#probed.isReady()) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#probed.isReady()) return;
      // The other end may be gone without a word, and then only a new connection helps.
      if (this.#open !== undefined) this.#probed.reconnect();
      else void this.#probe();
    }, probeInMs);
    this.#timer.unref();
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
    const question = this.#probed.findAbsence();
    void question.then(() => {
      if (this.#open !== open) return;
      this.#open = undefined;
      if (performance.now() - sentAt >= thawMs && this.#isWaiting()) void this.#probe();
    });
    const found = await withDeadline(question, this.#timeoutMs);
    this.#health.endProbe(found === noAnswer ? { fault: noAnswerInTime, error: undefined } : found);
    this.plan();
  }

  #isWaiting(): boolean {
    return !this.#isStopped && !this.#health.mayRead && this.#health.probeInMs !== undefined;
  }
}
