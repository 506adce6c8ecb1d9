import { noAnswer, withDeadline } from '../time/deadline.js';
import type { Connection, ConnectionEvents } from './connection/connection.js';
import { ConnectionProof } from './connection-proof.js';
import type { LinkHealth } from './link-health.js';
import { probe } from './probe.js';
import { Prober } from './prober.js';
import { ReconnectPace } from './reconnect-pace.js';
import { connectionLost, type FaultReading, isCluster } from './redis-errors.js';
import type { RefusedCommands } from './refused-commands.js';

/** A connection that is not back after so long is an outage, although nobody has asked. */
const graceMs = 500;

export interface WatchedConnectionOptions {
  readonly db: number;
  /** From a question to its answer. */
  readonly answerTimeoutMs: number;
  readonly toFinding: (error: unknown) => FaultReading;
  /** It was closed while all was well, and is made again. */
  readonly onReconnect: () => void;
  readonly connect: (events: ConnectionEvents) => Connection;
}

/** The connection, and all that is found out about it without a question of the parts. */
export class WatchedConnection {
  readonly #health: LinkHealth;
  readonly #refused: RefusedCommands;
  readonly #options: WatchedConnectionOptions;
  readonly #connection: Connection;
  readonly #prober: Prober;
  readonly #proof = new ConnectionProof();
  readonly #pace = new ReconnectPace();
  #isClosing = false;
  /** Whether it was this side that gave the last one up. */
  #isDeliberate = false;
  #hasMoved = false;
  /** What has ended the last one, while the next has time to come. */
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

  /** Whether it was found that this one serves: nothing is to be asked before. */
  get isProven(): boolean {
    return this.#proof.isGiven;
  }

  gather(): void {
    this.#connection.gather();
  }

  /** To be called after each failure of a question: plans the probe that finds out more. */
  watch({ fault }: FaultReading): void {
    if (fault === isCluster) this.#hasMoved = true;
    this.#prober.plan();
  }

  /** Probes now: there is reason to doubt it. */
  check(): void {
    this.#prober.check();
  }

  /**
   * Waits for that after the last connection was closed. Gives the milliseconds that are left for an answer, or 0
   * where it takes too long.
   */
  async waitUntilProven(): Promise<number> {
    const { answerTimeoutMs } = this.#options;
    const from = performance.now();
    const isLate = (await withDeadline(this.#proof.wait(), answerTimeoutMs)) === noAnswer;
    if (isLate && this.#grace !== undefined) this.#endGrace(this.#grace.finding);
    return this.#proof.isGiven ? Math.max(1, answerTimeoutMs - (performance.now() - from)) : 0;
  }

  /** Ends it within 0.2 s; what is on its way is answered first where `isAnswering`. */
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
      // The answer to this one comes after all that is still on its way.
      const last = this.commands.getrange(this.#connection.probeKeys()[0] as string, 0, 0);
      await withDeadline(last, this.#options.answerTimeoutMs).catch(() => undefined);
    }
    // Else it has ended by itself meanwhile.
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

  /** Some clients ask for the delay before they tell of the close, and some after that. */
  #settlePace(): void {
    if (this.#proof.isSteady) this.#pace.reset();
  }

  #startGrace(finding: FaultReading): void {
    this.#grace ??= { finding, timer: setTimeout(() => this.#endGrace(finding), graceMs).unref() };
  }

  /** With a finding where the connection has not come back. */
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

  /** Why Redis does not do all that is needed; undefined where it does. Never rejects. */
  async #findOutage(): Promise<FaultReading | undefined> {
    try {
      if (this.#hasMoved && (await this.#connection.isNodeOfCluster())) {
        return { fault: isCluster, error: undefined };
      }
      this.#refused.replace(await probe(this.#connection, this.#options.db));
      this.#prove();
      return undefined;
    } catch (error) {
      const finding = this.#options.toFinding(error);
      // The database was chosen before, and what is in it may be read.
      if (finding.fault.kind === 'no-writes') this.#prove();
      return finding;
    }
  }
}
