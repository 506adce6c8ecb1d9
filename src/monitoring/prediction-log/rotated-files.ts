import { createReadStream, type Stats } from 'node:fs';
import { type FileHandle, link, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { codeOf } from '../../errors.js';

/** After it, no other process writes to a rotated file any more: each looks for a new file four times a second. */
export const settleDelayMs = 5_000;
/** A compression that is older was left over by a killed process. */
const abandonedMs = 600_000;
/** Fast, since the processor is the server's: lines become about a seventh. */
const gzipLevel = 1;

/**
 * `rotated`: by this process. `elsewhere`: by another one, or the file was removed. `begun`: another process has made the
 * second name, and has not removed the first one: it is about to, or it was killed.
 */
export type Rotation = 'rotated' | 'elsewhere' | 'begun';

/**
 * Gives the file of the log a second name, and removes its first one. Several processes may call it at once for one
 * file: only one of them rotates it, since a link to an existing name fails. The name has the time at which the file was
 * created, so that names sort by age: `<path>.20261128T221500123Z-<inode>`.
 */
export async function rotateFile(path: string, file: Stats): Promise<Rotation> {
  const target = nameRotated(path, file);
  try {
    await link(path, target);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return (await isBegun(path, target)) ? 'begun' : 'elsewhere';
    if (code === 'ENOENT') return 'elsewhere';
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error;
    // A file system without hard links. Another process may have been faster: hence a name of its own.
    await rename(path, `${target}-${process.pid}`);
    return 'rotated';
  }
  const linked = await stat(target);
  if (linked.ino !== file.ino) {
    // The path had a new file already: another process or logrotate was faster.
    await unlink(target);
    return 'elsewhere';
  }
  await unlink(path);
  return 'rotated';
}

/**
 * Removes the first name of a file whose rotation was begun by a killed process. Several processes may do so at once: the
 * path may be a new file by now. It is taken away under a name of its own, which stays if it is a new file.
 */
export async function finishRotation(path: string, file: Stats): Promise<Rotation> {
  const target = nameRotated(path, file);
  if (!(await isBegun(path, target))) return 'elsewhere';
  const own = `${target}-${process.pid}`;
  try {
    await rename(path, own);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'elsewhere';
    throw error;
  }
  if ((await stat(own)).ino === file.ino) await unlink(own);
  return 'rotated';
}

function nameRotated(path: string, { birthtimeMs, ino }: Stats): string {
  const time = new Date(birthtimeMs || Date.now()).toISOString().replace(/[-:.]/g, '');
  return `${path}.${time}-${ino}`;
}

async function isBegun(path: string, target: string): Promise<boolean> {
  const [one, other] = await Promise.all([path, target].map((it) => stat(it).catch(() => undefined)));
  return one !== undefined && one.ino === other?.ino;
}

/** Compresses the rotated files of a log, and removes the oldest ones beyond `keep`. */
export async function tidyRotatedFiles(path: string, keep: number, now = Date.now()): Promise<void> {
  const folder = dirname(path);
  const ours = await listRotated(path);
  const current = await stat(path).catch(() => undefined);
  for (const name of ours.slice(0, Math.max(0, ours.length - keep))) {
    await rm(join(folder, name), { force: true });
  }
  for (const name of keep === 0 ? [] : ours.slice(-keep)) {
    if (name.endsWith('.gz')) continue;
    await compress(join(folder, name), current?.ino, now).catch((error: unknown) => {
      // Another process was faster.
      if (codeOf(error) !== 'ENOENT') throw error;
    });
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

async function compress(path: string, current: number | undefined, now: number): Promise<void> {
  const before = await stat(path);
  // Its rotation was begun: it is still written to.
  if (before.ino === current) return;
  // The last write may be in progress in another process: the next rotation compresses this file.
  if (now - before.mtimeMs < settleDelayMs / 2) return;
  const part = `${path}.gz.part`;
  const packed = await openPart(part, now);
  if (packed === undefined) return;
  try {
    await pipeline(createReadStream(path), createGzip({ level: gzipLevel }), async (chunks) => {
      for await (const chunk of chunks) await packed.appendFile(chunk as Buffer);
    });
    // The lines must survive a power cut once their file is removed.
    await packed.sync();
    if ((await stat(path)).size !== before.size) throw new Error(`${path} has grown after its rotation`);
    await rename(part, `${path}.gz`);
    await unlink(path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await packed.close();
  }
}

/** Undefined if another process compresses this file. A part that a killed process left over is removed. */
async function openPart(part: string, now: number): Promise<FileHandle | undefined> {
  try {
    return await open(part, 'wx', 0o640);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (now - (await stat(part)).mtimeMs > abandonedMs) await rm(part, { force: true });
    return undefined;
  }
}
