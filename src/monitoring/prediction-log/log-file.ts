import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { codeOf, RefusedError } from '../../errors.js';
import { finishRotation, rotateFile, settleDelayMs, tidyRotatedFiles } from './rotated-files.js';
import type { LogSink } from './sink.js';

export interface LogFileOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** 0: at no age. */
  readonly maxAgeMs: number;
  readonly keep: number;
  /** How often the path, the size and the age are looked at. By default 250 ms. */
  readonly checkEveryMs?: number;
  /** After which time a rotation that another process has begun is finished. By default 10 s. */
  readonly finishAfterMs?: number;
  /** Lines are safe, but a rotated file could not be compressed or removed, or the log could not be rotated. */
  readonly onTrouble: (error: unknown) => void;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly dev: number;
  readonly ino: number;
}

const lineBreak = Buffer.from('\n');
/** Far less than the time after which a rotated file is compressed. */
const defaultCheckMs = 250;
/** Far more than a rotation takes: its process was killed. */
const defaultFinishMs = 10_000;
/** Before a failed rotation is tried again. */
const rotationPauseMs = 60_000;

/**
 * The file of the log. Several processes may write it: each write appends whole lines. The path is looked up
 * four times a second, so that a file that was renamed, by this class or by logrotate, is followed by a new one without a
 * signal.
 */
export class LogFile implements LogSink {
  readonly maxWriteBytes = 65_536;
  readonly #options: LogFileOptions;
  #file: OpenFile | undefined;
  /** Bytes until the rotation, if no other process writes. */
  #room = 0;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #noRotationUntil = 0;
  /** A rotation that another process has begun, since this one has seen it. The times of the file change with each write. */
  #begun: { readonly ino: number; readonly since: number } | undefined;
  #tidying: NodeJS.Timeout | undefined;

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Opens the file before the first write. Throws `RefusedError` for a path that can never be a log. */
  async open(): Promise<void> {
    await this.#followPath();
    this.#tidySoon();
  }

  async write(bytes: Buffer): Promise<number> {
    const now = performance.now();
    const { checkEveryMs = defaultCheckMs } = this.#options;
    // Each call wakes another thread: a check before each write would cost more than the write.
    const isChecked = this.#file === undefined || this.#room <= 0 || now - this.#checkedAt >= checkEveryMs;
    const { handle } = isChecked ? await this.#followPath() : (this.#file as OpenFile);
    const { bytesWritten } = await handle.write(bytes);
    this.#room -= bytesWritten;
    if (!isChecked) return bytesWritten;
    this.#checkedAt = now;
    const stats = await handle.stat();
    this.#room = this.#options.maxBytes - stats.size;
    if (stats.nlink === 0) {
      // The file was removed meanwhile: the lines are in no file, and are written to the next one.
      await this.#closeFile();
      return 0;
    }
    if (this.#isDue(stats)) {
      await this.#rotate(stats);
      // The next write opens the new file.
      this.#checkedAt = Number.NEGATIVE_INFINITY;
    }
    return bytesWritten;
  }

  async close(): Promise<void> {
    clearTimeout(this.#tidying);
    await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #followPath(): Promise<OpenFile> {
    const known = this.#file;
    if (known !== undefined) {
      const found = await stat(this.#options.path).catch(() => undefined);
      if (found !== undefined && found.ino === known.ino && found.dev === known.dev) return known;
    }
    const opened = await openLog(this.#options.path);
    this.#file = opened;
    await known?.handle.close();
    return opened;
  }

  /** Call it after a write. */
  #isDue({ size, birthtimeMs, mtimeMs }: Stats): boolean {
    const { maxBytes, maxAgeMs } = this.#options;
    if (Date.now() < this.#noRotationUntil) return false;
    // Both times are by the clock of the file system, which may be another machine.
    return size >= maxBytes || (maxAgeMs > 0 && birthtimeMs > 0 && mtimeMs - birthtimeMs >= maxAgeMs);
  }

  /** Never rejects: the lines of this write are safe. */
  async #rotate(stats: Stats): Promise<void> {
    try {
      const { path } = this.#options;
      let rotation = await rotateFile(path, stats);
      if (rotation === 'begun' && this.#isAbandoned(stats)) rotation = await finishRotation(path, stats);
      if (rotation === 'rotated') this.#tidySoon();
    } catch (error) {
      this.#noRotationUntil = Date.now() + rotationPauseMs;
      this.#options.onTrouble(error);
    }
  }

  #isAbandoned({ ino }: Stats): boolean {
    const { finishAfterMs = defaultFinishMs } = this.#options;
    const now = performance.now();
    if (this.#begun?.ino !== ino) this.#begun = { ino, since: now };
    return now - this.#begun.since >= finishAfterMs;
  }

  /** Not at once: other processes may still write to the rotated file. */
  #tidySoon(): void {
    const { path, keep, onTrouble } = this.#options;
    // A pending one stays: a log that is rotated more often than that would otherwise never be tidied.
    this.#tidying ??= setTimeout(() => {
      this.#tidying = undefined;
      tidyRotatedFiles(path, keep).catch(onTrouble);
    }, settleDelayMs).unref();
  }
}

async function openLog(path: string): Promise<OpenFile> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
  let handle: FileHandle;
  try {
    // O_NONBLOCK: do not wait for the reader of a pipe.
    const flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    handle = await open(path, flags, 0o640);
  } catch (cause) {
    throw explainOpen(path, cause);
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new RefusedError(`${path} is not a regular file`);
    await endCutLine(handle, stats.size);
    return { handle, dev: stats.dev, ino: stats.ino };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A killed process may have left a line without its end: the next line must not continue it. */
async function endCutLine(handle: FileHandle, size: number): Promise<void> {
  if (size === 0) return;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] !== lineBreak[0]) await handle.write(lineBreak);
}

const reasons: Readonly<Record<string, string>> = {
  EISDIR: 'is a folder: name a file in it',
  ELOOP: 'is a symbolic link: name the file itself',
  ENOENT: 'is in a folder that does not exist: create the folder',
  ENOTDIR: 'is in a folder that is not one',
  ENXIO: 'is not a regular file',
  EACCES: 'may not be written by the user of the server',
  EPERM: 'may not be written by the user of the server',
  ENAMETOOLONG: 'has too long a name',
};

/** Other errors, such as those of a full disk, may pass. */
function explainOpen(path: string, cause: unknown): unknown {
  const reason = reasons[codeOf(cause)];
  return reason === undefined ? cause : new RefusedError(`${path} ${reason}`, { cause });
}
