import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { CliContext } from '../../terminal/command.js';

/** Where the bytes of the output go. */
export interface Sink {
  /** The bytes that it has taken. */
  readonly bytes: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves once all bytes are on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A file that is written from `bytes` on; what it has beyond them is cut. */
export async function openFileSink(path: string, bytes: number): Promise<Sink> {
  const file: FileHandle = await open(path, bytes === 0 ? 'w' : 'r+', 0o666);
  await file.truncate(bytes);
  let position = bytes;
  return {
    get bytes() {
      return position;
    },
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await file.write(chunk, at, chunk.length - at, position);
        at += bytesWritten;
        position += bytesWritten;
      }
    },
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

export function createOutputSink(stdout: CliContext['stdout']): Sink {
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    async write(chunk) {
      bytes += chunk.length;
      if (stdout.write(chunk) === false && stdout.once !== undefined) {
        await new Promise<void>((resolve) => stdout.once?.('drain', resolve));
      }
    },
    sync: async () => undefined,
    close: async () => undefined,
  };
}

const pack = promisify(gzip);

/** Each `write` becomes a gzip member of its own (RFC 1952, 2.2), so the output may be cut between two of them. */
export function packInto(sink: Sink): Sink {
  return {
    get bytes() {
      return sink.bytes;
    },
    write: async (chunk) => sink.write(await pack(chunk)),
    sync: () => sink.sync(),
    close: () => sink.close(),
  };
}
