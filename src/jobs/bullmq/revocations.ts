import type { JobsRedis } from './jobs-redis.js';
import { revokeScript } from './scripts/submission-scripts.js';

const retryMs = 1_000;

/**
 * Jobs that Redis may have accepted although their submitters got an error, since the reply was lost. They are removed
 * once Redis answers again.
 */
export class Revocations {
  readonly #redis: JobsRedis;
  readonly #ids = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redis: JobsRedis) {
    this.#redis = redis;
  }

  add(id: string): void {
    this.#ids.add(id);
    this.#timer ??= setTimeout(() => void this.#revoke(), retryMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#ids.clear();
  }

  async #revoke(): Promise<void> {
    try {
      for (const id of this.#ids) {
        await this.#redis.run(revokeScript, id);
        this.#ids.delete(id);
      }
    } catch {
      // Redis is still away.
    }
    this.#timer = this.#ids.size === 0 ? undefined : setTimeout(() => void this.#revoke(), retryMs).unref();
  }
}
