import { createHash } from 'node:crypto';

/** Inputs are few that end a process; each is 32 bytes here. */
const maxInputs = 1_000;
/** A process may have ended for a reason that is over by then. */
const lifetimeMs = 600_000;

/**
 * The inputs that have ended the process of a model, by digest, so that a client that repeats one does not end process
 * after process. An input that is answered after all is forgotten, and so is each after ten minutes.
 */
export class FatalInputs {
  readonly #found = new Map<string, { readonly kills: number; readonly until: number }>();

  /** Whether there is any: only then is a look worth the digest. */
  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  /** How many processes the input has ended. */
  countOf(text: string): number {
    const digest = digestOf(text);
    const found = this.#found.get(digest);
    if (found === undefined) return 0;
    if (performance.now() < found.until) return found.kills;
    this.#found.delete(digest);
    return 0;
  }

  /** Notes that the input has ended so many processes. */
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
