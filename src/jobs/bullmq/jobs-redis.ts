import {
  createQueueClient,
  type QueueAddress,
  type QueueClient,
} from '../../redis/connection/queue-client.js';
import { noAnswer, withDeadline } from '../../time/deadline.js';
import { type JobScript, type Reply, runJobScript } from './scripts/run-script.js';

/** The longest time for an answer of Redis: a submission must be refused within a second. */
export const askTimeoutMs = 800;
const graceMs = 50;
/** Once Redis has been away for so long, nobody waits for its connection. */
const knownAwayMs = 1_000;

/** Redis did not answer in time: the command may run later, or may have run. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** The connection for all scripts and for adding to the queue. Commands fail fast. */
export class JobsRedis {
  readonly client: QueueClient;
  readonly prefix: string;
  #awaySince: number | undefined = performance.now();
  readonly #waiting = new Set<() => void>();
  #lastError: unknown;
  #isReported = false;

  constructor(address: QueueAddress, prefix: string) {
    this.prefix = prefix;
    this.client = createQueueClient(address, 'none');
    this.client.on('ready', () => {
      this.#awaySince = undefined;
      for (const go of this.#waiting) go();
      this.#waiting.clear();
    });
    this.client.on('close', () => {
      this.#awaySince ??= performance.now();
    });
    // Reported by the calls that fail.
    this.client.on('error', (error) => {
      this.#lastError = error;
    });
  }

  get isReady(): boolean {
    return this.client.status === 'ready';
  }

  /** Throws an error of Redis or of its connection, and `NoAnswerError`. */
  async run(script: JobScript, ...args: readonly (string | number | Buffer)[]): Promise<readonly Reply[]> {
    return await this.ask(() => runJobScript(this.client, script, this.prefix, args));
  }

  /** Waits for the connection and for the answer, for as long as `askTimeoutMs` in all. Throws as `run` does. */
  async ask<T>(command: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    if (!this.isReady) {
      if (startedAt - (this.#awaySince ?? startedAt) > knownAwayMs) throw this.#noConnection();
      await this.#waitUntilReady(askTimeoutMs);
    }
    const pending = command();
    // Rejects once the connection is closed.
    pending.catch(() => undefined);
    const leftMs = Math.max(1, askTimeoutMs - (performance.now() - startedAt));
    const answer = await withDeadline(pending, leftMs, graceMs);
    if (answer === noAnswer) throw new NoAnswerError('Redis does not answer in time');
    this.#isReported = false;
    return answer;
  }

  /** True once in each time without Redis, and for each error of a Redis that answers. */
  isNewTrouble(): boolean {
    const isReported = this.#isReported;
    this.#isReported = true;
    return !isReported;
  }

  close(): void {
    this.client.disconnect();
  }

  async #waitUntilReady(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(go);
        reject(this.#noConnection());
      }, timeoutMs);
      this.#waiting.add(go);
    });
  }

  #noConnection(): Error {
    return new Error('Redis cannot be reached', { cause: this.#lastError });
  }
}
