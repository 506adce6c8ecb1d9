import { LRUCache } from 'lru-cache';
import type { LocalCache } from './answer-cache.js';

export interface MemoryCacheOptions {
  readonly ttlMs: number;
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Memory of an entry besides its two strings: 300 to 340 bytes measured with lru-cache 11.5 on Node 20. */
const overheadBytes = 350;

const wideLetter = /[^\0-\xff]/;

/** V8 stores a string with one byte a character, or with two if one character is beyond Latin-1. */
function countBytes(text: string): number {
  return wideLetter.test(text) ? 2 * text.length : text.length;
}

/** A cache in this process. It evicts the least recently used entry when entries or bytes exceed their maximum. */
export function createMemoryCache({ ttlMs, maxEntries, maxBytes }: MemoryCacheOptions): LocalCache {
  const entries = new LRUCache<string, string>({
    // lru-cache allocates all slots at once, and no more entries than this fit into `maxBytes`.
    max: Math.min(maxEntries, Math.ceil(maxBytes / overheadBytes)),
    maxSize: maxBytes,
    // A larger entry would evict too many others.
    maxEntrySize: Math.max(1, Math.floor(maxBytes / 16)),
    sizeCalculation: (fieldsJson, key) => overheadBytes + countBytes(key) + countBytes(fieldsJson),
    ttl: ttlMs,
    // Reading the clock for each entry would cost more than the lookup.
    ttlResolution: 1_000,
  });
  return {
    get: ({ identity, request: row, name = identity + row }) => entries.get(name),
    set({ identity, request: row, name = identity + row }, fieldsJson) {
      entries.set(name, fieldsJson);
    },
    async clear(identity) {
      let count = 0;
      for (const key of entries.keys()) {
        if (!key.startsWith(identity)) continue;
        entries.delete(key);
        count += 1;
      }
      return count;
    },
    close: () => entries.clear(),
  };
}
