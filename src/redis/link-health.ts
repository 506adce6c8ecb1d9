import { Breaker, maxPauseMs } from './breaker.js';
import type { FaultReading, Outage } from './redis-errors.js';

export type LinkChange =
  | { readonly state: 'down'; readonly reason: string; readonly error: unknown }
  /** `awayMs` is 0 if Redis was up from the start. */
  | { readonly state: 'up'; readonly awayMs: number };

/** Maximum pause between two attempts to find the new master. */
const maxSearchMs = 1_000;

/**
 * One breaker for all commands and one for writes, since a replica or a Redis out of memory still serves reads. The
 * link is up while both are closed. Each change is reported once.
 */
export class LinkHealth {
  readonly #all: Breaker;
  readonly #writes: Breaker;
  readonly #now: () => number;
  readonly #onChange: (change: LinkChange) => void;
  #reported: 'up' | 'down' | undefined;
  #downSince: number;
  /** The last outage, until a probe succeeds. */
  #outage: Outage | undefined;

  constructor(now: () => number, onChange: (change: LinkChange) => void) {
    this.#now = now;
    this.#onChange = onChange;
    this.#downSince = now();
    this.#all = new Breaker(this.#downSince);
    this.#writes = new Breaker(this.#downSince);
  }

  get state(): 'up' | 'down' {
    return this.mayWrite ? 'up' : 'down';
  }

  get mayRead(): boolean {
    return this.#all.isClosed;
  }

  get mayWrite(): boolean {
    return this.#all.isClosed && this.#writes.isClosed;
  }

  get probeInMs(): number | undefined {
    const at = this.#all.isClosed ? this.#writes.probeAt : this.#all.probeAt;
    return at === undefined ? undefined : Math.max(0, at - this.#now());
  }

  /** Whether only a new connection can find a server that serves. */
  get isElsewhere(): boolean {
    return this.#outage?.isElsewhere === true;
  }

  succeed(isWrite: boolean): void {
    this.#all.succeed();
    if (isWrite) this.#writes.succeed();
  }

  /** `isCertain`: one failure is enough, such as a closed connection. */
  fail(finding: FaultReading, isCertain: boolean): void {
    const { fault } = finding;
    const now = this.#now();
    this.#outage = fault;
    if (fault.kind === 'away') this.#all.fail(now, isCertain, pauseOf(fault));
    // A server that returns may be a replica now, or out of memory: writes wait for a probe too.
    const isAway = !this.#all.isClosed;
    if (isAway || fault.kind === 'no-writes') this.#writes.fail(now, isAway || isCertain, pauseOf(fault));
    if (this.state === 'down') this.#reportDown(finding);
  }

  startProbe(): void {
    this.#all.startProbe();
    this.#writes.startProbe();
  }

  /** `found` is undefined for a Redis that serves all commands. */
  endProbe(found: FaultReading | undefined): void {
    const now = this.#now();
    this.#outage = found?.fault;
    if (found === undefined) {
      this.#all.endProbe(now, true);
      this.#writes.endProbe(now, true);
      this.succeed(true);
      this.#report({ state: 'up', awayMs: this.#reported === undefined ? 0 : now - this.#downSince });
      return;
    }
    const isAway = found.fault.kind === 'away';
    const maxMs = pauseOf(found.fault);
    this.#all.endProbe(now, !isAway, maxMs);
    this.#writes.endProbe(now, false, maxMs);
    // A breaker that was closed during the probe is still closed: open it now.
    if (isAway) this.#all.fail(now, true, maxMs);
    this.#writes.fail(now, true, maxMs);
    this.#reportDown(found);
  }

  #reportDown({ fault, error }: FaultReading): void {
    this.#report({ state: 'down', reason: fault.reason, error });
  }

  #report(change: LinkChange): void {
    if (this.#reported === change.state) return;
    if (change.state === 'down' && this.#reported === 'up') this.#downSince = this.#now();
    this.#reported = change.state;
    this.#onChange(change);
  }
}

function pauseOf({ isElsewhere }: Outage): number {
  return isElsewhere ? maxSearchMs : maxPauseMs;
}
