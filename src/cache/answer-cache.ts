export interface AnswerKey {
  /** Identity of the version: 64 hexadecimal digits. */
  readonly identity: string;
  /** Equal requests have equal texts. */
  readonly request: string;
  /** `identity + request`, if the caller has built it already: V8 hashes a string once. */
  readonly name?: string;
}

/** Stores the fields of each answer's JSON object, without those that differ between equal requests. */
export interface AnswerCache {
  /** The stored fields, without a promise if possible; undefined for a miss. Never throws and never rejects. */
  get(key: AnswerKey): string | undefined | Promise<string | undefined>;
  /** Best effort. Await the promise before the next part of many entries. Never throws and never rejects. */
  set(key: AnswerKey, fieldsJson: string): void | Promise<void>;
  /** Removes all answers of a version, and resolves with their number. Throws `cache_unavailable` if some remain. */
  clear(identity: string): Promise<number>;
  close(): void;
}

/** A cache whose `get` returns no promise. */
export type LocalCache = AnswerCache & { get(key: AnswerKey): string | undefined };
