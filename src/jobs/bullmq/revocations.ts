import type { ChunkBlobs } from './blobs/chunk-blobs.js';
import type { JobsRedis } from './jobs-redis.js';
import { textOf } from './scripts/run-script.js';
import { revokeScript } from './scripts/submission-scripts.js';

const retryMs = 1_000;

/**
 * Jobs that Redis may have accepted although the submitter got an error, because the reply of Redis was lost. Each job is
 * removed once Redis answers again. A job stays if a later submission with the same idempotency key has got its id.
 */
export class Revocations {
  readonly #redis: JobsRedis;
  readonly #blobs: ChunkBlobs;
  readonly #ids = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redis: JobsRedis, blobs: ChunkBlobs) {
    this.#redis = redis;
    this.#blobs = blobs;
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
        const [outcome] = await this.#redis.run(revokeScript, id);
        this.#ids.delete(id);
        // Files that stay after a failure are removed once they have been idle.
        if (textOf(outcome) === 'removed') await this.#blobs.removeJob(id).catch(() => undefined);
      }
    } catch {
      // Redis is still away.
    }
    this.#timer = this.#ids.size === 0 ? undefined : setTimeout(() => void this.#revoke(), retryMs).unref();
  }
}
