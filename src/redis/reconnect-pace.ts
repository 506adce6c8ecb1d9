const firstDelayMs = 50;
const maxDelayMs = 1_000;

/** How long to wait until a connection is made again: not at all at first, then longer each time, up to a second. */
export class ReconnectPace {
  #tries = 0;
  #isHurried = false;

  /** The next time it is not waited, nor counted. */
  hurry(): void {
    this.#isHurried = true;
  }

  reset(): void {
    this.#tries = 0;
  }

  /** In milliseconds; at random within a half, so that many clients of one Redis do not come back at once. */
  next(): number {
    if (this.#isHurried) {
      this.#isHurried = false;
      return 0;
    }
    const tries = this.#tries;
    this.#tries += 1;
    if (tries === 0) return 0;
    return Math.min(firstDelayMs * 2 ** (tries - 1), maxDelayMs) * (0.5 + Math.random() / 2);
  }
}
