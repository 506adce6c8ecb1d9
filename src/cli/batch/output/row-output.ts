import type { OutputRow } from '../rows/batch-row.js';
import type { Sink } from './sink.js';
import type { TextRows } from './text-rows.js';

/** Writes the rows of the output to its sink. */
export interface RowOutput {
  /** Whether a later run may go on from here: after `flush` the sink has all rows, unless some are held. */
  readonly canPause: boolean;
  /** What a later run needs to go on, beside the bytes; JSON. */
  readonly state: unknown;
  write(rows: readonly OutputRow[]): Promise<void>;
  flush(): Promise<void>;
  /** Completes the output. */
  end(): Promise<void>;
}

/** Bytes that are written at once. Members of this size made a gzip file of 14.6 MB, and one member 14.9 MB. */
const pieceBytes = 1_048_576;

/** `isBegun`: the sink has the head already. */
export function createTextOutput(rows: TextRows, sink: Sink, isBegun: boolean): RowOutput {
  let needsHead = !isBegun;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  /** The last write, which goes on while further rows are predicted. */
  let writing: Promise<void> = Promise.resolve();
  const add = (text: string): void => {
    // Bytes, since a text that was put together from parts takes several times its length.
    const bytes = Buffer.from(text);
    pending.push(bytes);
    pendingBytes += bytes.length;
  };
  const send = async (): Promise<void> => {
    await writing;
    if (pendingBytes === 0) return;
    const bytes = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    writing = sink.write(bytes);
    // The next `send` throws the failure.
    writing.catch(() => undefined);
  };
  const flush = async (): Promise<void> => {
    await send();
    await writing;
  };
  const addHead = (): void => {
    if (needsHead) add(rows.head());
    needsHead = false;
  };
  return {
    canPause: true,
    state: undefined,
    async write(some) {
      addHead();
      add(rows.toText(some));
      if (pendingBytes >= pieceBytes) await send();
    },
    flush,
    async end() {
      addHead();
      await flush();
    },
  };
}
