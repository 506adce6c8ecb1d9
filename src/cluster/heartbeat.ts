/** Unanswered questions in a row after which a worker is lost. */
const asksUntilLost = 10;
/** Unanswered questions after which it counts as not running. By default a thread may block for two seconds. */
const asksUntilSilent = 3;

export interface HeartbeatEvents {
  onAsk(): void;
  /** Called once, when the worker is lost. No further question follows. */
  onLost(): void;
}

/** Counts unanswered questions, not time: after this process was suspended with the machine, only one is open. */
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

  /** When the worker last answered, on the clock of `performance`; now, unless it is silent. */
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

  /** Call on any message from the worker. */
  hear(): void {
    this.#unanswered = 0;
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
