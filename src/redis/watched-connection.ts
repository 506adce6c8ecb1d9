import { noAnswer, withDeadline } from '../time/deadline.js';
import type { Connection, ConnectionEvents } from './connection/connection.js';
import { ConnectionProof } from './connection-proof.js';
import type { LinkHealth } from './link-health.js';
import { probe } from './probe.js';
import { Prober } from './prober.js';
import { ReconnectPace } from './reconnect-pace.js';
import { connectionLost, type FaultReading, isCluster } from './redis-errors.js';
import type { RefusedCommands } from './refused-commands.js';

/** A closed connection counts as an outage after this time, even without traffic. */
const graceMs = 500;

export interface WatchedConnectionOptions {
  readonly db: number;
  readonly answerTimeoutMs: number;
  readonly toFinding: (error: unknown) => FaultReading;
  readonly onReconnect: () => void;
  readonly connect: (events: ConnectionEvents) => Connection;
}

export class WatchedConnection {
  readonly #health: LinkHealth;
  readonly #refused: RefusedCommands;
  readonly #options: WatchedConnectionOptions;
  readonly #connection: Connection;
  readonly #prober: Prober;
  readonly #proof = new ConnectionProof();
  readonly #pace = new ReconnectPace();
  #isClosing = false;
  /** Whether this side closes the current connection. */
  #isDeliberate = false;
  #hasSeenMoved = false;
  /** Why the last connection ended, while there is still time to reconnect. */
  #grace: { readonly finding: FaultReading; readonly timer: NodeJS.Timeout } | undefined;

  constructor(health: LinkHealth, refused: RefusedCommands, options: WatchedConnectionOptions) {
    this.#health = health;
    this.#refused = refused;
    this.#options = options;
    this.#connection = options.connect({
      onReady: () => this.#prober.check(),
      onClose: (error) => this.#lose(error),
      reconnectDelayMs: () => {
        this.#settlePace();
        return this.#pace.next();
      },
    });
    const probed = {
      isReady: () => this.#connection.isReady,
      findOutage: () => this.#findOutage(),
      reconnect: () => void this.#reconnect(),
    };
    this.#prober = new Prober(probed, health, options.answerTimeoutMs);
  }

  get commands(): Connection['commands'] {
    return this.#connection.commands;
  }

  get isReady(): boolean {
    return this.#connection.isReady;
  }

  /** Send no command before. */
  get isProven(): boolean {
    return this.#proof.isGiven;
  }

  gather(): void {
    this.#connection.gather();
  }

  /** Call after each failed command: plans the next probe. */
  watch({ fault }: FaultReading): void {
    if (fault === isCluster) this.#hasSeenMoved = true;
    this.#prober.plan();
  }

  check(): void {
    this.#prober.check();
  }

  /** Waits for the proof of a new connection. Resolves with the time left for a reply, or 0 if it took too long. */
  async waitUntilProven(): Promise<number> {
    const { answerTimeoutMs } = this.#options;
    const from = performance.now();
    const isLate = (await withDeadline(this.#proof.wait(), answerTimeoutMs)) === noAnswer;
    if (isLate && this.#grace !== undefined) this.#endGrace(this.#grace.finding);
    return this.#proof.isGiven ? Math.max(1, answerTimeoutMs - (performance.now() - from)) : 0;
  }

  /** Closes within 0.2 s; with `isAnswering`, pending commands get their replies first. */
  async close(isAnswering: boolean): Promise<void> {
    this.#isClosing = true;
    this.#prober.stop();
    this.#endGrace();
    await this.#connection.close(isAnswering);
  }

  async #reconnect(): Promise<void> {
    this.#isDeliberate = true;
    this.#pace.hurry();
    if (this.#health.mayRead) {
      this.#proof.withdraw();
      // The reply to this command comes after those of all pending commands.
      const last = this.commands.getrange(this.#connection.probeKeys()[0] as string, 0, 0);
      await withDeadline(last, this.#options.answerTimeoutMs).catch(() => undefined);
    }
    // Otherwise the connection has closed meanwhile.
    if (this.#isDeliberate) this.#connection.reconnect();
  }

  #lose(error: unknown): void {
    this.#settlePace();
    const { isSteady } = this.#proof;
    const isDeliberate = this.#isDeliberate;
    this.#isDeliberate = false;
    this.#prober.forget();
    this.#proof.withdraw();
    if (this.#isClosing) return;
    const finding = error === undefined ? { fault: connectionLost, error } : this.#options.toFinding(error);
    const isPassing = this.#health.mayRead && (isSteady || isDeliberate);
    if (isPassing && !isDeliberate) this.#options.onReconnect();
    if (isPassing) this.#startGrace(finding);
    else this.#endGrace(finding);
  }

  /** ioredis clients ask for the delay before or after their close event. */
  #settlePace(): void {
    if (this.#proof.isSteady) this.#pace.reset();
  }

  #startGrace(finding: FaultReading): void {
    this.#grace ??= { finding, timer: setTimeout(() => this.#endGrace(finding), graceMs).unref() };
  }

  /** `finding`: the connection did not come back, for this reason. */
  #endGrace(finding?: FaultReading): void {
    clearTimeout(this.#grace?.timer);
    if (finding !== undefined) this.#health.fail(this.#grace?.finding ?? finding, true);
    this.#grace = undefined;
    this.#proof.release();
  }

  #prove(): void {
    this.#proof.give();
    this.#endGrace();
  }

  async #findOutage(): Promise<FaultReading | undefined> {
    try {
      if (this.#hasSeenMoved && (await this.#connection.isNodeOfCluster())) {
        return { fault: isCluster, error: undefined };
      }
      this.#refused.replace(await probe(this.#connection, this.#options.db));
      this.#prove();
      return undefined;
    } catch (error) {
      const finding = this.#options.toFinding(error);
      // The database is selected already, so reads are possible.
      if (finding.fault.kind === 'no-writes') this.#prove();
      return finding;
    }
  }
}
