import { createHash } from 'node:crypto';
import { ServiceError } from '../errors.js';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import { nextTurnAlone } from '../time/slices.js';
import type { BatchRow } from './answer-rows.js';
import type { BatchShare } from './batch-memory.js';
import { maxTurnRows } from './batch-predictor.js';
import { createRowParser, requireJson } from './parse-row.js';
import { ChunkCutter } from './queue/chunk-cutter.js';
import type { JobDraft } from './queue/job-store.js';
import type { ReadRow } from './readers/row-reader.js';

/** Bytes of the bodies of the rows that run together, and of their outputs as the load measured them. */
const maxTurnBytes = 262_144;
/** Memory that a row takes beside its bytes. */
const rowOverhead = 128;

/** Thrown if the rows or the results of a batch need more memory than there is: the batch is to be stored. */
export class NoMemoryError extends Error {
  override readonly name = 'NoMemoryError';
}

export interface SubmissionOptions {
  /** The body is one JSON text: a row that is no JSON refuses it. */
  readonly isOneText: boolean;
  /** No row is run before the last one has been read: only then it is known whether the client may send them. */
  readonly readsFirst: boolean;
}

/**
 * The rows of a batch as they arrive. Some may be run at once; if the batch is stored after all, it is stored from its
 * first row on.
 */
export class Submission {
  readonly #rows: AsyncGenerator<readonly ReadRow[]>;
  readonly #version: LoadedVersion;
  readonly #isOneText: boolean;
  readonly #readsFirst: boolean;
  readonly #parse: (row: ReadRow) => BatchRow;
  /** Rows that have been read, unless the batch is being stored. */
  #kept: ReadRow[] = [];
  #count = 0;

  constructor(
    rows: AsyncGenerator<readonly ReadRow[]>,
    version: LoadedVersion,
    { isOneText, readsFirst }: SubmissionOptions,
  ) {
    this.#rows = rows;
    this.#version = version;
    this.#isOneText = isOneText;
    this.#readsFirst = readsFirst;
    this.#parse = createRowParser(version.task);
  }

  /** Parses the rows, to be run at once. Throws `NoMemoryError`, and as `readRows` and `requireJson` do. */
  async *parsed(share: BatchShare): AsyncGenerator<readonly BatchRow[]> {
    const turnRows = Math.min(maxTurnRows, this.#fit(maxTurnBytes));
    let turn: BatchRow[] = [];
    let bytes = 0;
    for await (const rows of this.#readsFirst ? this.#readAll(share) : this.#read(share)) {
      for (const row of rows) {
        turn.push(this.#check(row));
        bytes += row instanceof ServiceError ? 0 : row.length;
        if (turn.length < turnRows && bytes < maxTurnBytes) continue;
        yield turn;
        turn = [];
        bytes = 0;
      }
    }
    if (turn.length > 0) yield turn;
  }

  /** Keeps the rows. Throws `NoMemoryError`. */
  async *#read(share: BatchShare): AsyncGenerator<readonly ReadRow[]> {
    // `for await` would end the reading of the body when these rows are no longer wanted.
    for (let next = await this.#rows.next(); !next.done; next = await this.#rows.next()) {
      for (const row of next.value) this.#kept.push(row);
      for (const row of next.value) {
        const length = row instanceof ServiceError ? 0 : row.length;
        if (!share.take(length + rowOverhead)) throw new NoMemoryError('no memory for the rows of a batch');
      }
      yield next.value;
    }
  }

  async *#readAll(share: BatchShare): AsyncGenerator<readonly ReadRow[]> {
    const all: (readonly ReadRow[])[] = [];
    for await (const rows of this.#read(share)) all.push(rows);
    yield* all;
  }

  /**
   * Stores all rows. Returns their digest if `address` is given, which is a part of it. Throws as `parsed` and
   * `JobDraft.add` do.
   */
  async store(draft: JobDraft, address?: string): Promise<string | undefined> {
    const digest = address === undefined ? undefined : createHash('sha256').update(`${address}\n`);
    const cutter = new ChunkCutter(this.#fit(8 * maxTurnBytes));
    const add = async (rows: readonly ReadRow[]): Promise<void> => {
      for (const row of rows) {
        const chunk = cutter.add(row);
        if (chunk === undefined) continue;
        digest?.update(chunk.lines);
        await draft.add(chunk.lines, chunk);
        await nextTurnAlone();
      }
    };
    const kept = this.#kept;
    this.#kept = [];
    // The rows after the last one that was run have not been checked yet.
    if (this.#isOneText) for (const row of kept.slice(this.#count)) this.#check(row);
    await add(kept);
    for await (const rows of this.#rows) {
      if (this.#isOneText) for (const row of rows) this.#check(row);
      await add(rows);
    }
    const last = cutter.end();
    if (last !== undefined) {
      digest?.update(last.lines);
      await draft.add(last.lines, last);
    }
    return digest?.digest('hex');
  }

  #check(row: ReadRow): BatchRow {
    const parsed = this.#parse(row);
    if (this.#isOneText) requireJson(row, this.#count, parsed);
    this.#count += 1;
    return parsed;
  }

  /** Rows whose outputs take so many bytes. */
  #fit(bytes: number): number {
    const { outputBytes, batchRows } = this.#version.loadStats;
    return Math.max(1, Math.floor((bytes * batchRows) / outputBytes));
  }
}
