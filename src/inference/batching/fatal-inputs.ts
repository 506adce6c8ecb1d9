import { createHash } from 'node:crypto';

/** Inputs that end a process are rare. Each digest is a text of 43 characters. */
const maxInputs = 1_000;
/** After this time, the reason for which the process ended may no longer apply. */
const lifetimeMs = 600_000;

/**
 * Digests of the inputs that ended the process of a model, so that a client that repeats such an input does not end one
 * process after another. A digest is removed when its input is answered after all, and expires after ten minutes.
 */
export class FatalInputs {
  readonly #found = new Map<string, { readonly kills: number; readonly until: number }>();

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  countOf(text: string): number {
    const digest = digestOf(text);
    const found = this.#found.get(digest);
    if (found === undefined) return 0;
    if (performance.now() < found.until) return found.kills;
    this.#found.delete(digest);
    return 0;
  }

  set(text: string, kills: number): void {
    const digest = digestOf(text);
    this.#found.delete(digest);
    const [oldest] = this.#found.keys();
    if (this.#found.size >= maxInputs && oldest !== undefined) this.#found.delete(oldest);
    this.#found.set(digest, { kills, until: performance.now() + lifetimeMs });
  }

  forget(text: string): void {
    this.#found.delete(digestOf(text));
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
