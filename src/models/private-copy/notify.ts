/** Logs an event about the files of a version for the operator: a message and its fields. */
export type Notify = (text: string, about: Readonly<Record<string, unknown>>) => void;
