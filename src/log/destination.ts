import { closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { type Descriptor, openDescriptor, preventWaiting } from './descriptor.js';
import { LineQueue } from './line-queue.js';

export interface DestinationEvents {
  /** Returns the line that reports lost lines, or an empty text for no report. */
  toReport(lost: number): string;
  onReopenFailed(error: unknown, path: string): void;
}

/** About 16,000 lines. */
const maxWaitingBytes = 4 * 1_024 * 1_024;
/** Before the next try on a full pipe. */
const fullPauseMs = 20;
/** Before the second try of a failed write. If it fails too, the lines are lost. */
const faultPauseMs = 1_000;
/** How long the end of the process may wait for a reader: in all, and without any progress. */
const maxEndMs = 750;
const maxStallMs = 250;
/** A write that takes longer would block the end of the process for ever: Node waits for its threads. */
const stuckMs = 500;
/** Limit for one turn of the event loop, so that a long queue does not block it. */
const turnBytes = 262_144;

/** Module state, since these descriptors belong to the process and not to one server in it. */
const destinations = new Set<LogDestination>();

/** Opens a destination that lasts until the process ends. It delays that end by one second at most. */
export function openDestination(fd: number, events: DestinationEvents): LogDestination {
  const destination = new LogDestination(fd, events);
  destinations.add(destination);
  process.on('exit', () => destination.end());
  return destination;
}

/** Reopens all log files of this process by their paths, after log rotation renamed them. */
export function reopenLog(): void {
  for (const destination of destinations) destination.reopen();
}

export function countLostLines(): number {
  return [...destinations].reduce((sum, { lost }) => sum + lost, 0);
}

/**
 * The destination of a logger: a file descriptor that may be full, stalled or closed at any time. `write` never waits
 * and never throws. The lines of one turn of the event loop are written together, in order.
 * If the reader is slow, up to `maxWaitingBytes` of lines wait. If a write fails, as on a full disk, the lines wait for
 * a second try. Lines beyond that are lost; their number is counted, and logged once there is room again.
 */
export class LogDestination {
  readonly #events: DestinationEvents;
  readonly #queue: LineQueue;
  #descriptor: Descriptor;
  #isScheduled = false;
  #writing: { readonly since: number; readonly bytes: number } | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasFailed = false;
  #isToReopen = false;

  constructor(fd: number, events: DestinationEvents) {
    this.#events = events;
    this.#queue = new LineQueue(maxWaitingBytes, events.toReport);
    this.#descriptor = openDescriptor(fd);
  }

  get lost(): number {
    return this.#queue.lost;
  }

  write(line: string): void {
    this.#queue.push(line);
    if (this.#isScheduled || this.#writing !== undefined || this.#retry !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Writes without waiting. pino calls it after a line of the level `fatal`. */
  flushSync(): void {
    if (this.#writing === undefined) this.#drainSync(0);
  }

  /** Reopens a file by its path. Does nothing for a pipe, a terminal or a socket. */
  reopen(): void {
    this.#isToReopen = true;
    if (this.#writing === undefined) this.#reopen();
  }

  /** Writes the waiting lines within `maxEndMs`. Call at the end of the process: nothing is written after it. */
  end(): void {
    clearTimeout(this.#retry);
    const now = performance.now();
    if (this.#writing !== undefined) {
      if (now - this.#writing.since > stuckMs) {
        process.kill(process.pid, 'SIGKILL');
        return;
      }
      // The callback of this write will not run any more. After the pause the write has begun, and the kernel keeps the
      // order of writes.
      sleep(fullPauseMs);
      this.#queue.advance(this.#writing.bytes);
      this.#writing = undefined;
    }
    if (!this.#descriptor.isNonBlocking && this.#descriptor.file === undefined) {
      preventWaiting(this.#descriptor.fd);
    }
    this.#drainSync(maxEndMs);
  }

  #flush(): void {
    this.#isScheduled = false;
    this.#retry = undefined;
    if (this.#writing !== undefined) return;
    const { fd, isNonBlocking, maxWriteBytes } = this.#descriptor;
    for (let left = turnBytes; left > 0; ) {
      const bytes = this.#next(maxWriteBytes);
      if (bytes === undefined) return;
      if (!isNonBlocking) {
        this.#writing = { since: performance.now(), bytes: bytes.length };
        write(fd, bytes, 0, bytes.length, null, (error, written) => {
          this.#writing = undefined;
          if (this.#isToReopen) this.#reopen();
          if (error === null) this.#advance(written);
          else this.#onFault(error);
          if (this.#retry === undefined) this.#flush();
        });
        return;
      }
      try {
        const written = writeSync(fd, bytes);
        this.#advance(written);
        left -= written;
      } catch (error) {
        this.#onFault(error as NodeJS.ErrnoException);
        return;
      }
    }
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  #next(maxBytes: number): Buffer | undefined {
    const waiting = this.#queue.next(maxBytes);
    if (waiting !== undefined) return waiting;
    this.#queue.report();
    return this.#queue.next(maxBytes);
  }

  #advance(written: number): void {
    this.#hasFailed = false;
    this.#queue.advance(written);
  }

  #onFault({ code }: NodeJS.ErrnoException): void {
    const isFull = code === 'EAGAIN';
    if (!isFull && this.#hasFailed) this.#queue.lose();
    if (!isFull) this.#hasFailed = true;
    // The timer does not keep the process alive: `end` writes the lines that still wait.
    this.#retry = setTimeout(() => this.#flush(), isFull ? fullPauseMs : faultPauseMs).unref();
  }

  #drainSync(limitMs: number): void {
    const { fd, maxWriteBytes } = this.#descriptor;
    const deadline = performance.now() + limitMs;
    let stalledAt = performance.now() + Math.min(limitMs, maxStallMs);
    for (;;) {
      const bytes = this.#next(maxWriteBytes);
      if (bytes === undefined) return;
      try {
        this.#advance(writeSync(fd, bytes));
        stalledAt = performance.now() + maxStallMs;
      } catch (error) {
        const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isFull || performance.now() >= Math.min(deadline, stalledAt)) return;
        sleep(fullPauseMs);
      }
    }
  }

  #reopen(): void {
    this.#isToReopen = false;
    const { fd, file } = this.#descriptor;
    if (file === undefined) return;
    const open = () => {
      const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
      // O_NONBLOCK: if a pipe has this name by now, opening it would wait for a reader.
      return openSync(file.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, file.mode);
    };
    try {
      const proof = open();
      if (!fstatSync(proof).isFile()) {
        closeSync(proof);
        throw new Error(`${file.path} is no longer a file`);
      }
      // `open` returns the lowest free number. After `closeSync` that is `fd` again, so that later workers inherit the
      // new file, and nothing keeps the old file's disk space.
      closeSync(fd);
      this.#descriptor = { ...this.#descriptor, fd: open() };
      closeSync(proof);
    } catch (error) {
      this.#events.onReopenFailed(error, file.path);
    }
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
