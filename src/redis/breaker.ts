const failuresToOpen = 3;
export const firstPauseMs = 500;
export const maxPauseMs = 5_000;

type State =
  /** All may be asked. `failures` counts those since the last answer. */
  | { readonly kind: 'closed'; failures: number; readonly since: number }
  /** Nothing is asked before `probeAt`, and then only whether it works again. */
  | { readonly kind: 'open'; readonly probeAt: number }
  /** That one question is on its way. */
  | { readonly kind: 'half-open' };

/**
 * A circuit breaker: after three failures in a row, or one that is certain, nothing is asked any more, so that nothing
 * waits. Pauses between probes double from 0.5 to 5 s. They begin anew once it has been closed for the longest of
 * them: what fails again right after each probe is asked ever more seldom. Times are in milliseconds of any clock
 * that never goes back.
 */
export class Breaker {
  #state: State;
  #pauseMs = firstPauseMs;

  /** Open at first, and to be probed at once: nothing is known yet. */
  constructor(now: number) {
    this.#state = { kind: 'open', probeAt: now };
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** When the next probe is due; undefined where none is to be made. */
  get probeAt(): number | undefined {
    return this.#state.kind === 'open' ? this.#state.probeAt : undefined;
  }

  /** An answer to what was asked while it was closed; a late one changes nothing. */
  succeed(): void {
    if (this.#state.kind === 'closed') this.#state.failures = 0;
  }

  /** A failure of what was asked while it was closed; a late one changes nothing. No pause is longer than `maxMs`. */
  fail(now: number, isCertain: boolean, maxMs = maxPauseMs): void {
    if (this.#state.kind !== 'closed') return;
    this.#state.failures += 1;
    if (!isCertain && this.#state.failures < failuresToOpen) return;
    if (now - this.#state.since >= maxPauseMs) this.#pauseMs = firstPauseMs;
    this.#open(now, maxMs);
  }

  /** From open to half-open. */
  startProbe(): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'half-open' };
  }

  /** From half-open to closed, or to open for a pause twice as long. */
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
