/** What an answer depends on, and nothing else. */
export interface AnswerKey {
  /** Of the version: 64 hexadecimal digits, over its manifest and every digest in it. */
  readonly identity: string;
  /** The canonical text of a request, of any length: equal requests have equal texts. */
  readonly request: string;
  /** `identity` and `request` as one text, where it was made before: V8 hashes a text once. */
  readonly name?: string;
}

/**
 * Remembers answers, each as the fields of its JSON object: without what differs from one asker to the next. One that
 * cannot be found, for whatever reason, is computed again.
 */
export interface AnswerCache {
  /** What was remembered, or undefined; at once where it can be. Never throws and never rejects. */
  get(key: AnswerKey): string | undefined | Promise<string | undefined>;
  /** Remembers, or does not. Who has many may wait before the next ones. Never throws and never rejects. */
  set(key: AnswerKey, fieldsJson: string): void | Promise<void>;
  /** Forgets all answers of a version, and gives their number. Throws `cache_unavailable` when not all are gone. */
  clear(identity: string): Promise<number>;
  close(): void;
}

/** A cache that answers at once. */
export type LocalCache = AnswerCache & { get(key: AnswerKey): string | undefined };
