/** Questions in a row without an answer after which a worker has been silent for too long. */
const asksUntilLost = 10;
/** After which it counts as not running: by default, what blocks its thread for two seconds changes nothing. */
const asksUntilSilent = 3;

export interface HeartbeatEvents {
  /** Asks the worker anything. */
  onAsk(): void;
  /** It has been silent for too long. Told once; it is asked no more. */
  onLost(): void;
}

/**
 * Asks a worker over and over whether it still answers. What counts is questions that this process has asked and
 * waited for, not time: when it was stopped itself, as when a whole machine sleeps, the worker owes one answer.
 */
export class Heartbeat {
  readonly #intervalMs: number;
  readonly #events: HeartbeatEvents;
  #timer: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #heardAt = 0;

  constructor(silenceTimeoutMs: number, events: HeartbeatEvents) {
    this.#intervalMs = silenceTimeoutMs / asksUntilLost;
    this.#events = events;
  }

  get isSilent(): boolean {
    return this.#unanswered >= asksUntilSilent;
  }

  /** When it was last known to live, on the clock of `performance`. */
  get lastSign(): number {
    return this.isSilent ? this.#heardAt : performance.now();
  }

  start(): void {
    this.hear();
    this.#timer = setInterval(() => {
      if (this.#unanswered < asksUntilLost) {
        this.#unanswered += 1;
        this.#events.onAsk();
      } else {
        this.stop();
        this.#events.onLost();
      }
    }, this.#intervalMs);
  }

  /** The worker has said something, whatever it was. */
  hear(): void {
    this.#unanswered = 0;
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
