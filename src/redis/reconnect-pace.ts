const firstDelayMs = 50;
const maxDelayMs = 1_000;

/** Delays between attempts to reconnect: none at first, then doubling from 50 ms to 1 s. */
export class ReconnectPace {
  #tries = 0;
  #isHurried = false;

  /** The next attempt has no delay and does not count. */
  hurry(): void {
    this.#isHurried = true;
  }

  reset(): void {
    this.#tries = 0;
  }

  /** Milliseconds, with up to 50 % taken off at random, so that clients of one Redis do not return at once. */
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
