import { noAnswer, withDeadline } from '../time/deadline.js';
import type { LinkHealth } from './link-health.js';
import { type FaultReading, noAnswerInTime } from './redis-errors.js';

/** A probe reply after this time means that Redis was frozen and has thawed; a sooner one, that Redis is slow. */
const thawMs = 500;
/** While Redis is up: keeps idle connections open, and shows a failover in /health without traffic. */
const idleProbeMs = 1_000;
const noAnswerFound: FaultReading = { fault: noAnswerInTime, error: undefined };

export interface ProbeTarget {
  isReady(): boolean;
  /** Resolves with undefined if Redis serves all needed commands. Never rejects. */
  findOutage(): Promise<FaultReading | undefined>;
  reconnect(): void;
}

/** Probes Redis on each new connection, each second while it is up, and after each pause of the breakers while down. */
export class Prober {
  readonly #target: ProbeTarget;
  readonly #health: LinkHealth;
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** Token of the last probe on this connection, until its reply arrives. */
  #unanswered: object | undefined;
  #isStopped = false;

  constructor(target: ProbeTarget, health: LinkHealth, timeoutMs: number) {
    this.#target = target;
    this.#health = health;
    this.#timeoutMs = timeoutMs;
  }

  /** Call after each change. Without a connection it does nothing: the next connection probes at once. */
  plan(): void {
    if (this.#isStopped || !this.#target.isReady()) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#target.isReady()) return;
      // The other end may be gone without closing the socket, or may no longer be the master.
      if (this.#unanswered !== undefined || this.#health.isElsewhere) this.#target.reconnect();
      else void this.#probe();
    }, this.#health.probeInMs ?? idleProbeMs);
    this.#timer.unref();
  }

  check(): void {
    if (!this.#isStopped && this.#unanswered === undefined && this.#target.isReady()) void this.#probe();
  }

  /** Call when the connection is closed: its probe gets no reply. */
  forget(): void {
    this.#unanswered = undefined;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    clearTimeout(this.#timer);
    this.#health.startProbe();
    const sentAt = performance.now();
    const token = {};
    this.#unanswered = token;
    const reply = this.#target.findOutage();
    void reply.then(() => {
      if (this.#unanswered !== token) return;
      this.#unanswered = undefined;
      if (performance.now() - sentAt >= thawMs && this.#isWaiting()) void this.#probe();
    });
    let found = await withDeadline(reply, this.#timeoutMs);
    // One late reply is not an outage: the breaker opens after three, as for commands.
    while (found === noAnswer && this.#health.mayRead && this.#unanswered === token) {
      this.#health.fail(noAnswerFound, false);
      if (this.#health.mayRead) found = await withDeadline(reply, this.#timeoutMs);
    }
    if (this.#isStopped) return;
    this.#health.endProbe(found === noAnswer ? noAnswerFound : found);
    this.plan();
  }

  #isWaiting(): boolean {
    return !this.#isStopped && !this.#health.mayRead && this.#health.probeInMs !== undefined;
  }
}
