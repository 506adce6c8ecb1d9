/** A connection that served this long was not a failed attempt: its end is a single event. */
const steadyMs = 1_000;

/** No command is sent before a probe has proven a connection: it may lead to another server or database. */
export class ConnectionProof {
  #since: number | undefined;
  #waiting: (() => void)[] = [];

  get isGiven(): boolean {
    return this.#since !== undefined;
  }

  get isSteady(): boolean {
    return this.#since !== undefined && performance.now() - this.#since >= steadyMs;
  }

  give(): void {
    this.#since ??= performance.now();
    for (const go of this.#waiting) go();
    this.#waiting = [];
  }

  withdraw(): void {
    this.#since = undefined;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends all waits without a proof: none is expected soon. */
  release(): void {
    for (const go of this.#waiting) go();
    this.#waiting = [];
  }
}
