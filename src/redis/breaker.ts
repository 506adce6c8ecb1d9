const failuresToOpen = 3;
export const firstPauseMs = 500;
export const maxPauseMs = 5_000;

type State =
  /** `failures`: number since the last success. */
  | { readonly kind: 'closed'; failures: number; readonly since: number }
  | { readonly kind: 'open'; readonly probeAt: number }
  | { readonly kind: 'half-open' };

/**
 * A circuit breaker: it opens after three failures in a row, or a certain one. Pauses between probes double from 0.5 to
 * 5 s. The pause resets after the breaker has stayed closed for 5 s; if Redis fails again sooner, it keeps doubling.
 * Times are milliseconds of a monotonic clock.
 */
export class Breaker {
  #state: State;
  #pauseMs = firstPauseMs;

  constructor(now: number) {
    this.#state = { kind: 'open', probeAt: now };
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** Moment of the next probe; undefined unless open. */
  get probeAt(): number | undefined {
    return this.#state.kind === 'open' ? this.#state.probeAt : undefined;
  }

  /** Resets the count of failures. Ignored unless closed, since the reply may be late. */
  succeed(): void {
    if (this.#state.kind === 'closed') this.#state.failures = 0;
  }

  /** Ignored unless closed. `maxMs` bounds the pause. */
  fail(now: number, isCertain: boolean, maxMs = maxPauseMs): void {
    if (this.#state.kind !== 'closed') return;
    this.#state.failures += 1;
    if (!isCertain && this.#state.failures < failuresToOpen) return;
    if (now - this.#state.since >= maxPauseMs) this.#pauseMs = firstPauseMs;
    this.#open(now, maxMs);
  }

  startProbe(): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'half-open' };
  }

  endProbe(now: number, hasWorked: boolean, maxMs = maxPauseMs): void {
    if (this.#state.kind !== 'half-open') return;
    if (hasWorked) this.#state = { kind: 'closed', failures: 0, since: now };
    else this.#open(now, maxMs);
  }

  #open(now: number, maxMs: number): void {
    this.#state = { kind: 'open', probeAt: now + Math.min(this.#pauseMs, maxMs) };
    this.#pauseMs = Math.min(this.#pauseMs * 2, maxPauseMs);
  }
}
