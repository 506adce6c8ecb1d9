import { close, constants, fstat, open, read } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { codeOf, RefusedError } from '../../errors.js';

const pieceBytes = 262_144;

/**
 * The bytes of a file, or of a named pipe, which must have a writer. Throws `RefusedError` for a file that cannot be
 * read.
 */
export async function* readLogFile(path: string): AsyncGenerator<Buffer, void> {
  // A descriptor, and no FileHandle: the socket of a pipe closes its descriptor itself.
  const fd = await openWithoutWaiting(path);
  let isOfSocket = false;
  try {
    const stats = await promisify(fstat)(fd);
    if (stats.isDirectory()) throw new RefusedError(`${path} is a folder: name its files`);
    isOfSocket = stats.isFIFO();
    if (isOfSocket) yield* new Socket({ fd, writable: false }) as AsyncIterable<Buffer>;
    else yield* readPieces(fd);
  } finally {
    if (!isOfSocket) await promisify(close)(fd);
  }
}

/** The open of a pipe without a writer would never return, and a process that waits for it cannot be interrupted. */
async function openWithoutWaiting(path: string): Promise<number> {
  try {
    return await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = codeOf(cause);
    throw new RefusedError(code === 'ENOENT' ? `${path} is not there` : `${path} cannot be read (${code})`, {
      cause,
    });
  }
}

/** Not a stream: one that is not read to its end would keep the file from its close. */
async function* readPieces(fd: number): AsyncGenerator<Buffer, void> {
  for (;;) {
    const { bytesRead, buffer } = await promisify(read)(
      fd,
      Buffer.allocUnsafeSlow(pieceBytes),
      0,
      pieceBytes,
      null,
    );
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
