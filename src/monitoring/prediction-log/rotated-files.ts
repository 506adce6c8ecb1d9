import { constants, createReadStream, createWriteStream, type Stats } from 'node:fs';
import { link, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { codeOf } from '../../errors.js';

/** After it, no other process writes to a rotated file any more: each looks for a new file before each write. */
const settleMs = 5_000;
/** A compression or a rotation that is older was left over by a killed process. */
const abandonedMs = 600_000;
const abandonedRotationMs = 10_000;
/** Fast, since the processor is the server's: lines become about a seventh. */
const gzipLevel = 1;

/**
 * Gives the file of the log a second name, and removes its first one. Several processes may call it at once for one
 * file: only one of them rotates it, since a link to an existing name fails. Returns whether this process did.
 * The name has the time at which the file was created, so that names sort by age: `<path>.20261128T221500123Z-<inode>`.
 */
export async function rotateFile(path: string, file: Stats, now = Date.now()): Promise<boolean> {
  const time = new Date(file.birthtimeMs || now).toISOString().replace(/[-:.]/g, '');
  const target = `${path}.${time}-${file.ino}`;
  try {
    await link(path, target);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return finishAbandoned(path, target, now);
    if (code === 'ENOENT') return false;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error;
    // A file system without hard links. Another process may have been faster: hence a name of its own.
    await rename(path, `${target}-${process.pid}`);
    return true;
  }
  const linked = await stat(target);
  if (linked.ino !== file.ino) {
    // The path had a new file already: another process or logrotate was faster.
    await unlink(target);
    return false;
  }
  await unlink(path);
  return true;
}

/** A process was killed between the two steps: both names are those of one file. */
async function finishAbandoned(path: string, target: string, now: number): Promise<boolean> {
  const [one, other] = await Promise.all([path, target].map((it) => stat(it).catch(() => undefined)));
  if (one === undefined || one.ino !== other?.ino || now - other.ctimeMs < abandonedRotationMs) return false;
  await unlink(path);
  return true;
}

/** Compresses the rotated files of a log, and removes the oldest ones beyond `keep`. */
export async function tidyRotatedFiles(path: string, keep: number, now = Date.now()): Promise<void> {
  const folder = dirname(path);
  const ours = await listRotated(path);
  for (const name of ours.slice(0, Math.max(0, ours.length - keep))) {
    await rm(join(folder, name), { force: true });
  }
  for (const name of keep === 0 ? [] : ours.slice(-keep)) {
    if (!name.endsWith('.gz')) await compress(join(folder, name), now);
  }
}

/** The names of the rotated files of a log, oldest first. No other file is ever removed. */
async function listRotated(path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`;
  const names = await readdir(dirname(path));
  return names
    .filter((it) => it.startsWith(prefix) && /^\d{8}T\d{9}Z-\d+(-\d+)?(\.gz)?$/.test(it.slice(prefix.length)))
    .sort();
}

async function compress(path: string, now: number): Promise<void> {
  const before = await stat(path);
  // The last write may be in progress in another process: the next rotation compresses this file.
  if (now - before.mtimeMs < settleMs / 2) return;
  const part = `${path}.gz.part`;
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  try {
    const packed = createWriteStream(part, { flags: (O_WRONLY | O_CREAT | O_EXCL) as never, mode: 0o640 });
    await pipeline(createReadStream(path), createGzip({ level: gzipLevel }), packed);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') {
      await rm(part, { force: true });
      throw error;
    }
    const { mtimeMs } = await stat(part);
    if (now - mtimeMs > abandonedMs) await rm(part, { force: true });
    return;
  }
  if ((await stat(path)).size !== before.size) {
    await rm(part, { force: true });
    return;
  }
  await rename(part, `${path}.gz`);
  await unlink(path);
}

export const settleDelayMs = settleMs;
