/** Told what an operator should know of the files that versions are opened from: a sentence, and facts. */
export type Notify = (text: string, about: Readonly<Record<string, unknown>>) => void;
