import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** The files of a connection by TLS, as PEM. A certificate and its key come together. */
export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/**
 * The settings of a connection by TLS. Its files are read at each connect, so that a certificate which was renewed is
 * used by the next. A file that cannot be read then leaves what was read before. Throws where it cannot at first.
 */
export function readTlsFiles(files: TlsFiles): ConnectionOptions {
  const lasts = new Map<string, Buffer>();
  const read = (file: string): Buffer => {
    try {
      lasts.set(file, readFileSync(file));
    } catch (error) {
      if (!lasts.has(file)) throw error;
    }
    return lasts.get(file) as Buffer;
  };
  const { caFile, certFile, keyFile } = files;
  const options: ConnectionOptions = {};
  // ioredis copies each property of its `tls` for each socket, and reads it thereby.
  const define = (name: 'ca' | 'cert' | 'key', file: string | undefined) => {
    if (file === undefined) return;
    read(file);
    Object.defineProperty(options, name, { enumerable: true, get: () => read(file) });
  };
  define('ca', caFile);
  define('cert', certFile);
  define('key', keyFile);
  return options;
}
