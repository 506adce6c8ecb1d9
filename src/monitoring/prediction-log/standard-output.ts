import { closeSync, write, writeSync } from 'node:fs';
import { openDescriptor } from '../../log/descriptor.js';
import type { LogSink } from './sink.js';

/**
 * Standard output, between the lines of the server's log. A write to a pipe is at most as long as the kernel keeps in
 * one piece, so that lines of both logs and of several processes do not mix.
 */
export function openStandardOutput(fd = 1): LogSink {
  const descriptor = openDescriptor(fd);
  return {
    maxWriteBytes: descriptor.maxWriteBytes,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (!descriptor.isNonBlocking) {
          write(descriptor.fd, bytes, 0, bytes.length, null, (error, written) => {
            if (error === null) resolve(written);
            else if (error.code === 'EAGAIN') resolve(0);
            else reject(error);
          });
          return;
        }
        // In a turn of its own: a reader that is fast must not keep this thread from requests.
        setImmediate(() => {
          try {
            resolve(writeSync(descriptor.fd, bytes));
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code === 'EAGAIN') resolve(0);
            else reject(error);
          }
        });
      }),
    async close() {
      if (descriptor.fd !== fd) closeSync(descriptor.fd);
    },
  };
}
