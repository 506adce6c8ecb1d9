/** What an answer depends on, and nothing else. */
export interface AnswerKey {
  /** Of the version: 64 hexadecimal digits, over its manifest and every digest in it. */
  readonly identity: string;
  /** The canonical text of a row, of any length: equal rows have equal texts. */
  readonly row: string;
}

/** Remembers answers. A value is the members of an answer's JSON object, as text. */
export interface AnswerCache {
  /** What was remembered, or undefined. Never throws and never rejects. */
  get(key: AnswerKey): string | undefined | Promise<string | undefined>;
  /** Remembers, or does not: nobody waits for it. Never throws. */
  set(key: AnswerKey, members: string): void;
  /** Forgets all answers of a version, and gives their number. Never rejects. */
  clear(identity: string): Promise<number>;
  close(): void;
}
