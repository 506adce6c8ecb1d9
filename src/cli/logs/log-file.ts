import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { codeOf, RefusedError } from '../../errors.js';

const pieceBytes = 262_144;

/**
 * The bytes of a file, or of a named pipe, which must have a writer. Throws `RefusedError` for a file that cannot be
 * read.
 */
export async function* readLogFile(path: string): AsyncGenerator<Buffer, void> {
  // The open of a pipe without a writer would never return, and a process that waits for it cannot be interrupted.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    const code = codeOf(cause);
    throw new RefusedError(code === 'ENOENT' ? `${path} is not there` : `${path} cannot be read (${code})`, {
      cause,
    });
  });
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new RefusedError(`${path} is a folder: name its files`);
    if (stats.isFIFO()) {
      yield* new Socket({ fd: handle.fd, writable: false }) as AsyncIterable<Buffer>;
      return;
    }
    // Not a stream: one that is not read to its end would keep the file from its close.
    for (;;) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.allocUnsafeSlow(pieceBytes),
        0,
        pieceBytes,
        null,
      );
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    // The socket of a pipe has closed the descriptor already.
    await handle.close().catch(() => undefined);
  }
}
