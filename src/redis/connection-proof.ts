/** A connection that has served for so long was no failed attempt: what ends it then is one event, not a state. */
const steadyMs = 1_000;

/**
 * Whether the connection that there is now has been found to serve: nothing is asked on one before, since it may lead
 * to another server or another database than the last.
 */
export class ConnectionProof {
  #since: number | undefined;
  #waiting: (() => void)[] = [];

  get isGiven(): boolean {
    return this.#since !== undefined;
  }

  /** Whether it was given long enough ago. */
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

  /** Resolves once it is given. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets those go who wait: it will not be given soon. */
  release(): void {
    for (const go of this.#waiting) go();
    this.#waiting = [];
  }
}
