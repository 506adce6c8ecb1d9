import { closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { type Descriptor, openDescriptor, preventWaiting } from './descriptor.js';
import { LineQueue } from './line-queue.js';

export interface DestinationEvents {
  /** The line that reports lost lines; an empty text for none. */
  toReport(lost: number): string;
  /** The file could not be opened again: what is logged goes on into the old one. */
  onReopenFailed(error: unknown, path: string): void;
}

/** Lines that wait while nobody reads them: about 16,000. */
const maxWaitingBytes = 4 * 1_024 * 1_024;
/** Until a pipe that was full is tried again. */
const fullPauseMs = 20;
/** Until a write that failed is tried again. What fails once more is lost. */
const faultPauseMs = 1_000;
/** What the end of the process may wait for a reader in all, and for one that takes nothing. */
const maxEndMs = 750;
const maxStallMs = 250;
/** A write that takes longer holds the end of the process for ever: Node waits for its threads. */
const stuckMs = 500;
/** So much is written in one turn of the event loop, so that a long queue holds nothing up. */
const turnBytes = 262_144;

/** What this process logs to: to its standard output, as a rule. It belongs to the process, not to a server in it. */
const destinations = new Set<LogDestination>();

/** Opens a destination that lasts until the process ends, which it delays by a second at most. */
export function openDestination(fd: number, events: DestinationEvents): LogDestination {
  const destination = new LogDestination(fd, events);
  destinations.add(destination);
  process.on('exit', () => destination.end());
  return destination;
}

/** Opens the files that this process logs to once more by their names, after they were renamed. */
export function reopenLog(): void {
  for (const destination of destinations) destination.reopen();
}

/** Lines that this process could not write to its log so far. */
export function countLostLines(): number {
  return [...destinations].reduce((sum, { lost }) => sum + lost, 0);
}

/**
 * Where a logger writes to: a file descriptor that may be full, stalled or closed at any time. `write` never waits and
 * never throws. The lines of one turn of the event loop are written together, in order.
 *
 * Lines wait where nobody reads, up to `maxWaitingBytes`. Where a write fails, as on a full disk, they wait for a
 * second try. Those that cannot wait are lost, are counted, and are reported once there is room again.
 */
export class LogDestination {
  readonly #events: DestinationEvents;
  readonly #queue: LineQueue;
  #descriptor: Descriptor;
  #isScheduled = false;
  /** Since when another thread has been writing, and how much. */
  #writing: { readonly since: number; readonly bytes: number } | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasFailed = false;
  #isToReopen = false;

  constructor(fd: number, events: DestinationEvents) {
    this.#events = events;
    this.#queue = new LineQueue(maxWaitingBytes, events.toReport);
    this.#descriptor = openDescriptor(fd);
  }

  /** Lines that were lost so far. */
  get lost(): number {
    return this.#queue.lost;
  }

  write(line: string): void {
    this.#queue.push(line);
    if (this.#isScheduled || this.#writing !== undefined || this.#retry !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Writes what can be written without waiting. The logger calls it after a line of the level `fatal`. */
  flushSync(): void {
    if (this.#writing === undefined) this.#drainSync(0);
  }

  /** Opens the file once more by its name, after it was renamed. A pipe or a terminal stays as it is. */
  reopen(): void {
    this.#isToReopen = true;
    if (this.#writing === undefined) this.#reopen();
  }

  /** Writes what waits, as far as somebody reads it in time. For the end of the process: nothing is written after it. */
  end(): void {
    clearTimeout(this.#retry);
    const now = performance.now();
    if (this.#writing !== undefined) {
      if (now - this.#writing.since > stuckMs) {
        process.kill(process.pid, 'SIGKILL');
        return;
      }
      // Nobody will tell that it has ended: time enough for it to begin, and the system keeps the order.
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
    const { fd, isNonBlocking, longestWrite } = this.#descriptor;
    for (let left = turnBytes; left > 0; ) {
      const bytes = this.#next(longestWrite);
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

  #next(longest: number): Buffer | undefined {
    const waiting = this.#queue.next(longest);
    if (waiting !== undefined) return waiting;
    this.#queue.report();
    return this.#queue.next(longest);
  }

  #advance(written: number): void {
    this.#hasFailed = false;
    this.#queue.advance(written);
  }

  #onFault({ code }: NodeJS.ErrnoException): void {
    const isFull = code === 'EAGAIN';
    if (!isFull && this.#hasFailed) this.#queue.lose();
    if (!isFull) this.#hasFailed = true;
    // It keeps no process alive: what still waits is the matter of `end`.
    this.#retry = setTimeout(() => this.#flush(), isFull ? fullPauseMs : faultPauseMs).unref();
  }

  #drainSync(limitMs: number): void {
    const { fd, longestWrite } = this.#descriptor;
    const deadline = performance.now() + limitMs;
    let stalledAt = performance.now() + Math.min(limitMs, maxStallMs);
    for (;;) {
      const bytes = this.#next(longestWrite);
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
      // The last one for a pipe under this name, whose opening would wait for a reader.
      return openSync(file.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, file.mode);
    };
    try {
      const proof = open();
      if (!fstatSync(proof).isFile()) {
        closeSync(proof);
        throw new Error(`${file.path} is no file any more`);
      }
      // The lowest number that is free is given out: the same again, which workers that start later inherit. The old
      // file has nobody then who holds its space.
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
