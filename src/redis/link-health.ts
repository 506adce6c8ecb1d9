import { Breaker } from './breaker.js';
import type { Finding } from './redis-fault.js';

/** A change between the two states, for the log. */
export type LinkChange =
  | { readonly state: 'down'; readonly reason: string; readonly error: unknown }
  /** `awayMs` is 0 where it was there from the start. */
  | { readonly state: 'up'; readonly awayMs: number };

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

  succeed(isWrite: boolean): void {
    this.#all.succeed();
    if (isWrite) this.#writes.succeed();
  }

  /** `isCertain` where one failure is enough: the connection is gone. */
  fail(finding: Finding, isCertain: boolean): void {
    const { fault } = finding;
    const now = this.#now();
    if (fault.kind === 'away') this.#all.fail(now, isCertain);
    // What comes back may have become another: a replica, or full.
    const isAway = !this.#all.isClosed;
    if (isAway || fault.kind === 'no-writes') this.#writes.fail(now, isAway || isCertain);
    if (this.state === 'down') this.#tellDown(finding);
  }

  startProbe(): void {
    this.#all.startProbe();
    this.#writes.startProbe();
  }

  /** What the probe has found: undefined for a Redis that does everything. */
  endProbe(found: Finding | undefined): void {
    const now = this.#now();
    const isAway = found?.fault.kind === 'away';
    this.#all.endProbe(now, !isAway);
    // Where only writes were in doubt it was closed.
    if (isAway) this.#all.fail(now, true);
    this.#writes.endProbe(now, found === undefined);
    if (found === undefined)
      this.#tell({ state: 'up', awayMs: this.#told === undefined ? 0 : now - this.#downSince });
    else this.#tellDown(found);
  }

  #tellDown({ fault, error }: Finding): void {
    this.#tell({ state: 'down', reason: fault.reason, error });
  }

  #tell(change: LinkChange): void {
    if (this.#told === change.state) return;
    if (change.state === 'down' && this.#told === 'up') this.#downSince = this.#now();
    this.#told = change.state;
    this.#onChange(change);
  }
}
