import { hash, timingSafeEqual } from 'node:crypto';
import type { ApiKey } from './api-key.js';

interface Entry {
  readonly key: ApiKey;
  readonly digest: Buffer;
}

/** What a text is compared with that has the digest of no key. */
const nobody = Buffer.alloc(32);

/**
 * The keys that are valid now, found by their text.
 *
 * A key that was found before is found again by its text alone: that is all that the way of a request can afford
 * (hashing takes some 2 µs, a lookup 0.1). So the texts of keys in use are kept in memory, where they were anyway, in
 * the requests that brought them; there are never more of them than keys, since no two texts have one digest.
 */
export class KeyRing {
  readonly #now: () => number;
  #byDigest: ReadonlyMap<string, Entry> = new Map();
  readonly #byText = new Map<string, ApiKey>();

  constructor(keys: readonly ApiKey[], now: () => number = Date.now) {
    this.#now = now;
    this.replace(keys);
  }

  /** From now on these keys are valid, and no other. */
  replace(keys: readonly ApiKey[]): void {
    this.#byText.clear();
    this.#byDigest = new Map(
      keys.map((key) => {
        const digest = Buffer.from(key.sha256, 'hex');
        return [digest.toString('latin1'), { key, digest }];
      }),
    );
  }

  /** The key of a text that `verify` has found before. */
  recall(text: string): ApiKey | undefined {
    const key = this.#byText.get(text);
    return key === undefined || this.#isOver(key) ? undefined : key;
  }

  /**
   * The key of a text. Whatever is wrong with the text, the same steps are made: one hash, one lookup, one comparison.
   * What the lookup could tell of a digest by its time tells nothing of a text that has it.
   */
  verify(text: string): ApiKey | undefined {
    const digest = hash('sha256', text, 'buffer');
    const entry = this.#byDigest.get(digest.toString('latin1'));
    const isEqual = timingSafeEqual(digest, entry?.digest ?? nobody);
    if (entry === undefined || !isEqual || this.#isOver(entry.key)) return undefined;
    this.#byText.set(text, entry.key);
    return entry.key;
  }

  #isOver({ expiresAt }: ApiKey): boolean {
    return expiresAt !== undefined && expiresAt <= this.#now();
  }
}
