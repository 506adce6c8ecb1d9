import { setTimeout as pause } from 'node:timers/promises';
import { LineQueue } from '../../log/line-queue.js';
import { noAnswer, withDeadline } from '../../time/deadline.js';
import type { LogSink } from './sink.js';

export interface PredictionLogEvents {
  onWritten(lines: number): void;
  onDropped(lines: number): void;
  /** A write has failed: it is tried again. */
  onFailure(error: unknown): void;
}

/** About 25,000 lines. */
const maxWaitingBytes = 8_388_608;
/** Lines are gathered for so long, so that a write has many of them. */
const gatherMs = 100;
/** Of waiting lines: they are written at once. */
const gatherBytes = 131_072;
const fullPauseMs = 20;
const faultPauseMs = 1_000;
/** Nothing waits for a sink that has taken nothing for so long. */
const maxStallMs = 1_000;
/** How long the end of the server may wait for a slow disk. */
const maxCloseMs = 1_500;
const newline = 0x0a;

/**
 * Gathers lines in memory, and writes them in large pieces, one write at a time. `write` never waits and never throws.
 * While the sink fails, lines wait in 8 MiB; lines beyond that are dropped and counted.
 */
export class PredictionLog {
  readonly #sink: LogSink;
  readonly #events: PredictionLogEvents;
  readonly #queue = new LineQueue(maxWaitingBytes, () => '');
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #draining: Promise<void> | undefined;
  #isClosing = false;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(sink: LogSink, events: PredictionLogEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  /** Whether many more lines would be dropped, and it helps to wait: the sink takes lines. */
  get isBehind(): boolean {
    return this.#queue.bytes > maxWaitingBytes / 2 && performance.now() - this.#writtenAt < maxStallMs;
  }

  /** `line` ends with a line break. */
  write(line: string): void {
    const { lost } = this.#queue;
    this.#queue.push(line);
    if (this.#queue.lost !== lost) this.#events.onDropped(1);
    if (this.#draining !== undefined) return;
    if (this.#timer === undefined) this.#schedule();
    else if (!this.#isDue && this.#queue.bytes > gatherBytes) {
      this.#isDue = true;
      setImmediate(() => this.#start());
    }
  }

  /**
   * Writes the waiting lines within 1.5 s, and drops and counts the others. Call it after the last `write`. Never
   * rejects.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#start();
    const left = await withDeadline(this.#draining ?? Promise.resolve(), maxCloseMs);
    const { lost } = this.#queue;
    this.#queue.lose();
    if (this.#queue.lost > lost) this.#events.onDropped(this.#queue.lost - lost);
    if (left === noAnswer) {
      // The close of the file would hang, too.
      this.#events.onFailure(new Error('a write did not end before the server'));
      return;
    }
    await withDeadline(this.#sink.close(), maxCloseMs).catch(this.#events.onFailure);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#start(), gatherMs).unref();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
      if (!this.#isClosing && this.#queue.next(1) !== undefined) this.#schedule();
    });
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    let failures = 0;
    for (let isFirst = true; ; isFirst = false) {
      const bytes = this.#queue.next(this.#sink.maxWriteBytes);
      if (bytes === undefined) return;
      const isPart = bytes.length < Math.min(this.#sink.maxWriteBytes, gatherBytes) / 2;
      if (isPart && !isFirst && failures === 0 && !this.#isClosing) return;
      try {
        const written = await this.#sink.write(bytes);
        if (written === 0) await pause(fullPauseMs, undefined, { ref: false });
        else {
          failures = 0;
          const lines = countLines(bytes, written);
          this.#queue.advance(written);
          this.#writtenAt = performance.now();
          this.#events.onWritten(lines);
        }
      } catch (error) {
        this.#events.onFailure(error);
        failures += 1;
        if (this.#isClosing && failures > 1) return;
        await pause(this.#isClosing ? fullPauseMs : faultPauseMs, undefined, { ref: false });
      }
    }
  }
}

function countLines(bytes: Buffer, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at >= 0 && at < end; at = bytes.indexOf(newline, at + 1)) lines += 1;
  return lines;
}
