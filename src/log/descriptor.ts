import { constants, fstatSync, openSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';

export interface Descriptor {
  readonly fd: number;
  /** Whether a write returns at once, with only the bytes that fit. */
  readonly isNonBlocking: boolean;
  readonly maxWriteBytes: number;
  /** The path that a file was opened by, and its mode. Undefined for a pipe, a terminal or a socket. */
  readonly file: { readonly path: string; readonly mode: number } | undefined;
}

/** Up to this length, writes of several processes to one pipe do not mix (PIPE_BUF of pipe(7)). */
const atomicBytes = 4_096;
const fileBytes = 65_536;

/**
 * Prepares an inherited descriptor for the log. A pipe or a terminal is opened a second time: the flag O_NONBLOCK would
 * otherwise also apply to the shell or the other command that shares the descriptor. A file ignores that flag, and a
 * socket cannot be opened a second time: both are written from another thread.
 */
export function openDescriptor(fd: number): Descriptor {
  const stats = fstatSync(fd);
  if (stats.isFile()) {
    return { fd, isNonBlocking: false, maxWriteBytes: fileBytes, file: fileOf(fd, stats) };
  }
  const maxWriteBytes = stats.isFIFO() ? atomicBytes : fileBytes;
  if (!stats.isSocket()) {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    try {
      const own = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return { fd: own, isNonBlocking: true, maxWriteBytes, file: undefined };
    } catch {
      // Not Linux, or a pipe that another user created: write from another thread, as for a socket.
    }
  }
  preventWaiting(fd);
  return { fd, isNonBlocking: false, maxWriteBytes, file: undefined };
}

/**
 * Sets the flag O_NONBLOCK. Node has no call for it, but a stream sets it on its descriptor; the stream itself is never
 * used. Another process that shares the descriptor may clear the flag when it ends.
 */
export function preventWaiting(fd: number): void {
  try {
    const socket = new Socket({ fd, readable: false, writable: true });
    // Kept until the process ends: a collected stream would close the descriptor.
    streams.add(socket.unref());
  } catch {
    // Neither pipe nor socket: a write may block its own thread, but no other.
  }
}

const streams = new Set<Socket>();

/** Undefined if the path no longer leads to the open file. */
function fileOf(fd: number, stats: Stats): Descriptor['file'] {
  try {
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    const { dev, ino } = statSync(path);
    return dev === stats.dev && ino === stats.ino ? { path, mode: stats.mode & 0o777 } : undefined;
  } catch {
    return undefined;
  }
}
