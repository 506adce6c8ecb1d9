import { constants, fstatSync, openSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';

/** What the log is written to. */
export interface Descriptor {
  readonly fd: number;
  /** Whether a write takes what there is room for, and never waits. */
  readonly isNonBlocking: boolean;
  /** The most that is written at once. */
  readonly longestWrite: number;
  /** Of a file: the name that it was opened by, and its mode. */
  readonly file: { readonly path: string; readonly mode: number } | undefined;
}

/** Writes of several processes to one pipe do not mix up to this length (PIPE_BUF of pipe(7)). */
const atomicBytes = 4_096;
const fileBytes = 65_536;

/**
 * How a descriptor that this process was started with is written to. A pipe or a terminal is opened once more, since
 * the flag that keeps a write from waiting belongs to whoever shares the descriptor: a shell, or another command
 * behind the same pipe. A file has no such flag, and is written from another thread. So is a socket, which cannot be
 * opened again.
 */
export function openDescriptor(fd: number): Descriptor {
  const stats = fstatSync(fd);
  if (stats.isFile()) {
    return { fd, isNonBlocking: false, longestWrite: fileBytes, file: fileOf(fd, stats) };
  }
  const longestWrite = stats.isFIFO() ? atomicBytes : fileBytes;
  if (!stats.isSocket()) {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    try {
      const own = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
      return { fd: own, isNonBlocking: true, longestWrite, file: undefined };
    } catch {
      // No Linux, or a pipe that another user has made: it is shared as a socket is.
    }
  }
  preventWaiting(fd);
  return { fd, isNonBlocking: false, longestWrite, file: undefined };
}

/**
 * Node has no call that sets the flag O_NONBLOCK: a stream that takes a descriptor sets it. Nothing is ever written
 * or read by that stream. A process that shares the descriptor may take the flag back when it ends.
 */
export function preventWaiting(fd: number): void {
  try {
    const socket = new Socket({ fd, readable: false, writable: true });
    // Closed with the process alone: its end would close the descriptor.
    streams.add(socket.unref());
  } catch {
    // Neither pipe nor socket: a write from another thread may wait, and holds that thread alone.
  }
}

const streams = new Set<Socket>();

/** The name under which a file was opened, as long as it still leads there. */
function fileOf(fd: number, stats: Stats): Descriptor['file'] {
  try {
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    const { dev, ino } = statSync(path);
    return dev === stats.dev && ino === stats.ino ? { path, mode: stats.mode & 0o777 } : undefined;
  } catch {
    return undefined;
  }
}
