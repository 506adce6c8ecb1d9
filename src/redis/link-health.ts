import { Breaker, maxPauseMs } from './breaker.js';
import type { FaultReading, Outage } from './redis-errors.js';

/** A change between the two states, for the log. */
export type LinkChange =
  | { readonly state: 'down'; readonly reason: string; readonly error: unknown }
  /** `awayMs` is 0 where it was there from the start. */
  | { readonly state: 'up'; readonly awayMs: number };

/** Between two looks for the server that has become the master. */
const maxSearchMs = 1_000;

/**
 * Whether Redis may be asked: one breaker for all, and one for what writes, since a Redis that is out of memory or a
 * replica still answers what only reads. It is up when both are closed, and tells each change once.
 */
export class LinkHealth {
  readonly #all: Breaker;
  readonly #writes: Breaker;
  readonly #now: () => number;
  readonly #onChange: (change: LinkChange) => void;
  /** What was told last. Nothing is told before it is known. */
  #told: 'up' | 'down' | undefined;
  #downSince: number;
  /** What was found last, until it has served again. */
  #found: Outage | undefined;

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

  /** Milliseconds until a probe is due; undefined where none is. */
  get probeInMs(): number | undefined {
    const at = this.#all.isClosed ? this.#writes.probeAt : this.#all.probeAt;
    return at === undefined ? undefined : Math.max(0, at - this.#now());
  }

  /** Whether what serves, if anything does, is found by a new connection alone. */
  get isElsewhere(): boolean {
    return this.#found?.isElsewhere === true;
  }

  succeed(isWrite: boolean): void {
    this.#all.succeed();
    if (isWrite) this.#writes.succeed();
  }

  /** `isCertain` where one failure is enough: the connection is gone. */
  fail(finding: FaultReading, isCertain: boolean): void {
    const { fault } = finding;
    const now = this.#now();
    this.#found = fault;
    if (fault.kind === 'away') this.#all.fail(now, isCertain, pauseOf(fault));
    // What comes back may have become another: a replica, or full.
    const isAway = !this.#all.isClosed;
    if (isAway || fault.kind === 'no-writes') this.#writes.fail(now, isAway || isCertain, pauseOf(fault));
    if (this.state === 'down') this.#tellDown(finding);
  }

  startProbe(): void {
    this.#all.startProbe();
    this.#writes.startProbe();
  }

  /** What the probe has found: undefined for a Redis that does everything. */
  endProbe(found: FaultReading | undefined): void {
    const now = this.#now();
    this.#found = found?.fault;
    if (found === undefined) {
      this.#all.endProbe(now, true);
      this.#writes.endProbe(now, true);
      this.succeed(true);
      this.#tell({ state: 'up', awayMs: this.#told === undefined ? 0 : now - this.#downSince });
      return;
    }
    const isAway = found.fault.kind === 'away';
    const mostMs = pauseOf(found.fault);
    this.#all.endProbe(now, !isAway, mostMs);
    this.#writes.endProbe(now, false, mostMs);
    // Where nothing was in doubt, or writes alone, both or one of them was closed.
    if (isAway) this.#all.fail(now, true, mostMs);
    this.#writes.fail(now, true, mostMs);
    this.#tellDown(found);
  }

  #tellDown({ fault, error }: FaultReading): void {
    this.#tell({ state: 'down', reason: fault.reason, error });
  }

  #tell(change: LinkChange): void {
    if (this.#told === change.state) return;
    if (change.state === 'down' && this.#told === 'up') this.#downSince = this.#now();
    this.#told = change.state;
    this.#onChange(change);
  }
}

function pauseOf({ isElsewhere }: Outage): number {
  return isElsewhere ? maxSearchMs : maxPauseMs;
}
