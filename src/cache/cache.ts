/** What was asked: of which version, and what. */
export interface AnswerKey {
  /** The version's, 64 hexadecimal digits: a new version never finds the answers of another. */
  readonly identity: string;
  /** The request's text, equal for equal requests; of any length. */
  readonly row: string;
}

/**
 * Remembers answers: each as the members of its JSON object, without what differs from one asker to the next. One that
 * cannot be found, for whatever reason, is computed again.
 */
export interface AnswerCache {
  /** At once where it can be. Never throws and never rejects. */
  get(key: AnswerKey): string | undefined | Promise<string | undefined>;
  /** Remembers, or does not: nobody waits for it. */
  set(key: AnswerKey, members: string): void;
  /** Forgets the answers of a version, and gives how many there were. */
  clear(identity: string): Promise<number>;
  close(): void;
}
