import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

/** PEM files. Certificate and key come together. */
export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Reads the files again at each connect. Throws if the first read fails; later failures keep the previous content. */
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
  // ioredis copies the properties of `tls` for each socket, which calls these getters.
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
