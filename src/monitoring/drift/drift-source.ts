import type { PartCount } from './drift-sample.js';
import type { DriftWindow } from './drift-window.js';

/** The rows of a version that one process has, or those of all workers. */
export interface DriftSource {
  /** Whether reading takes no message to other processes. */
  readonly isOwn: boolean;
  count(): Promise<{ readonly parts: readonly PartCount[]; readonly missing: readonly number[] }>;
  /** The values of some columns: see `DriftWindow.read`. Workers of `without` are not asked: they count as missing. */
  read(from: number, to: number, share: number, without: readonly number[]): Promise<ReadColumns>;
}

export interface ReadColumns {
  readonly columns: readonly Float64Array[];
  /** The numbers of workers that did not answer. */
  readonly missing: readonly number[];
}

/** What a process is asked for: the counts of its parts, or the values of some columns. */
interface Question {
  readonly identity: string;
  readonly read?: { readonly from: number; readonly to: number; readonly share: number };
}

/** The answers of the workers that have answered, and the numbers of those that have not. */
interface Answers {
  readonly parts: readonly string[];
  readonly missing: readonly number[];
}

/** Answers a question of another process. An empty text if this process does not watch the version. */
export function answerQuestion(
  text: string,
  find: (identity: string) => DriftWindow | undefined,
  now: number,
): string {
  const { identity, read } = JSON.parse(text) as Question;
  const window = find(identity);
  if (window === undefined) return '';
  if (read === undefined) return JSON.stringify(window.parts(now));
  const { values } = window.read(read.from, read.to, read.share);
  return Buffer.from(values.buffer).toString('base64');
}

export function readOwn(window: DriftWindow): DriftSource {
  return {
    isOwn: true,
    count: async () => ({ parts: window.parts(Date.now()), missing: [] }),
    async read(from, to, share) {
      const { rows, values } = window.read(from, to, share);
      const columns = Array.from({ length: to - from }, (_unused, k) =>
        values.subarray(k * rows, (k + 1) * rows),
      );
      return { columns, missing: [] };
    },
  };
}

/** Of all workers, by questions of which each has a small answer: a large one would hold up the channel of a worker. */
export function readAll(
  identity: string,
  ask: (question: string, without: readonly number[]) => Promise<Answers>,
): DriftSource {
  return {
    isOwn: false,
    async count() {
      const { parts, missing } = await ask(JSON.stringify({ identity } satisfies Question), []);
      return { parts: parts.flatMap((it) => (it === '' ? [] : (JSON.parse(it) as PartCount[]))), missing };
    },
    async read(from, to, share, without) {
      const { parts, missing } = await ask(
        JSON.stringify({ identity, read: { from, to, share } } satisfies Question),
        without,
      );
      return { columns: joinColumns(parts.map(toNumbers), to - from), missing };
    },
  };
}

function toNumbers(text: string): Float64Array {
  // A copy begins at a multiple of eight bytes, which a view needs.
  return new Float64Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);
}

function joinColumns(parts: readonly Float64Array[], width: number): readonly Float64Array[] {
  const rows = parts.reduce((sum, it) => sum + it.length, 0) / width;
  return Array.from({ length: width }, (_unused, k) => {
    const column = new Float64Array(rows);
    let at = 0;
    for (const part of parts) {
      const own = part.length / width;
      column.set(part.subarray(k * own, (k + 1) * own), at);
      at += own;
    }
    return column;
  });
}
