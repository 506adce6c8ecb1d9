import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import type { ModelGraph } from '../inference/graph.js';
import { findRangeFault } from './external-ranges.js';
import { RefusedError } from './manifest.js';
import { checkRegularFile, codeOf, openFlags } from './regular-file.js';
import type { VersionFiles } from './version-files.js';

/** A private copy of a model and its external weights, for the engine alone to open. */
export interface PrivateCopy {
  readonly folder: string;
  readonly modelPath: string;
  remove(): Promise<void>;
}

const maxBytes = 64 * 1024 ** 3;
/** The names that the files of every version have. */
const reserved = ['model.onnx', 'metadata.json', 'golden.json', 'reference.json'];

/**
 * Copies a model with its external weights into a folder of this process, digest by digest. The engine maps
 * weights into memory: were it given the registry's own files, a later change to them would change answers,
 * or end the process with SIGBUS. Throws `RefusedError`, and the signal's reason; nothing is left behind then.
 */
export async function copyPrivately(
  files: VersionFiles,
  weights: ModelGraph['externalFiles'],
  signal?: AbortSignal,
): Promise<PrivateCopy> {
  for (const location of weights.keys()) checkLocation(location, files);
  const folder = await mkdtemp(join(tmpdir(), 'sardonyx-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    for (const [location, ranges] of weights) {
      await copyChecked(files.path, location, folder, files.manifest.sha256[location] as string, signal);
      const fault = findRangeFault(ranges, (await stat(join(folder, location))).size);
      if (fault !== undefined) throw new RefusedError(`external weights ${location}: ${fault}`);
    }
    const modelPath = join(folder, 'model.onnx');
    await writeFile(modelPath, files.model, { flag: 'wx', mode: 0o600 });
    return { folder, modelPath, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function checkLocation(location: string, files: VersionFiles): void {
  const label = `external weights ${JSON.stringify(location)}`;
  const isInside =
    !isAbsolute(location) && normalize(location) === location && !location.split(sep).includes('..');
  if (location === '' || !isInside || location.includes('\0')) {
    throw new RefusedError(`${label} must be a plain path inside the version's folder`);
  }
  const [first = ''] = location.split(sep);
  if (reserved.includes(first))
    throw new RefusedError(`${label} must have a name of their own, not ${first}`);
  if (!Object.hasOwn(files.manifest.sha256, location)) {
    throw new RefusedError(`${label} have no digest in metadata.json: add it under /sha256`);
  }
}

function describeOpenFault(code: string): string {
  if (code === 'ELOOP') return 'are a symbolic link';
  const advice =
    code === 'ENOENT' ? ': put the file that the exporter wrote into the version, under this name' : '';
  return `cannot be opened (${code})${advice}`;
}

async function copyChecked(
  root: string,
  location: string,
  folderOfCopy: string,
  wanted: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const label = `external weights ${location}`;
  const path = join(root, location);
  // No link on the way to the file: neither in its folders, nor in its last name.
  const folder = await realpath(dirname(path)).catch(() => undefined);
  if (folder !== undefined && folder !== join(await realpath(root), dirname(location))) {
    throw new RefusedError(`${label} lie behind a symbolic link`);
  }
  const source = await open(path, openFlags | constants.O_NOFOLLOW).catch((cause) => {
    throw new RefusedError(`${label} ${describeOpenFault(codeOf(cause))}`, { cause });
  });
  try {
    const { nlink } = await checkRegularFile(source, label, maxBytes);
    if (nlink > 1) throw new RefusedError(`${label} are a hard link to another file`);
    const target = join(folderOfCopy, location);
    await mkdir(dirname(target), { recursive: true });
    const hash = createHash('sha256');
    const copy = await open(target, 'wx', 0o600);
    try {
      for await (const chunk of source.createReadStream({ autoClose: false })) {
        signal?.throwIfAborted();
        hash.update(chunk as Buffer);
        await copy.writeFile(chunk as Buffer);
      }
    } finally {
      await copy.close();
    }
    const digest = hash.digest('hex');
    if (digest !== wanted)
      throw new RefusedError(`${label} have SHA-256 ${digest}, metadata.json says ${wanted}`);
  } finally {
    await source.close();
  }
}
