import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, RefusedError } from '../errors.js';
import { liesWithin } from './file-place.js';

/** O_NONBLOCK: do not wait for the writer of a pipe. O_NOCTTY: do not take over a terminal. */
export const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Hashed in a few milliseconds. */
const chunkBytes = 4_194_304;

/** SHA-256 in lower-case hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface ReadOptions {
  /** Folders in which the file must lie after links are resolved. By default it may lie anywhere. */
  readonly within?: readonly string[];
  readonly onChunk?: (chunk: Uint8Array) => void;
}

/**
 * Reads a whole file into private memory. Returns undefined if it does not exist. Throws `RefusedError` for a pipe, a
 * device or a folder, which could block, and for a file over `maxBytes`, before any memory is allocated.
 */
export async function readRegularFile(
  path: string,
  label: string,
  maxBytes: number,
  { within, onChunk }: ReadOptions = {},
): Promise<Buffer | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, openFlags);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new RefusedError(`${label} cannot be opened (${codeOf(cause)})`, { cause });
  }
  try {
    const { size } = await checkRegularFile(handle, label, maxBytes, within && { path, within });
    const bytes = Buffer.allocUnsafeSlow(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(bytes, filled, Math.min(size - filled, chunkBytes), filled);
      if (bytesRead === 0) throw new RefusedError(`${label} became shorter while it was read`);
      onChunk?.(bytes.subarray(filled, filled + bytesRead));
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Throws `RefusedError` if the open file is not a regular file, lies outside `within`, or is too large. */
export async function checkRegularFile(
  handle: FileHandle,
  label: string,
  maxBytes: number,
  bounds?: { readonly path: string; readonly within: readonly string[] },
) {
  const stats = await handle.stat();
  if (!stats.isFile()) throw new RefusedError(`${label} is not a regular file`);
  if (bounds !== undefined && !(await liesWithin(handle, bounds.path, bounds.within))) {
    throw new RefusedError(
      `${label}: the link leads out of the registry; put the file itself into the version's folder`,
    );
  }
  if (stats.size > maxBytes)
    throw new RefusedError(`${label} has ${stats.size} bytes, over the limit of ${maxBytes}`);
  return stats;
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}
