import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, RefusedError } from '../../errors.js';
import { placesOfVersion } from '../../files/file-place.js';
import { checkRegularFile, openFlags } from '../../files/regular-file.js';
import { findRangeFault } from '../../inference/onnx/external-ranges.js';
import type { ModelGraph } from '../../inference/onnx/read-graph.js';
import type { Manifest } from '../manifest/manifest.js';
import { isPlainLocation, maxWeightBytes, reservedNameOf } from '../manifest/weights-location.js';
import { toCopyRefusal } from './copy-fault.js';

export interface Weights {
  readonly path: string;
  readonly sha256: Manifest['sha256'];
  /** The ranges that tensors use of each file, by its location. */
  readonly files: ModelGraph['externalFiles'];
}

/** Throws `RefusedError` if a file of weights has an unsafe location or no digest. */
export function checkWeights({ files, sha256 }: Weights): void {
  for (const location of files.keys()) checkLocation(location, sha256);
}

/** Copies the weights of a version and checks their digests. Throws `RefusedError` or the signal's reason. */
export async function copyWeights(weights: Weights, folder: string, signal?: AbortSignal): Promise<void> {
  const within = await placesOfVersion(weights.path);
  for (const [location, ranges] of weights.files) {
    const label = `external weights ${location}`;
    const path = join(weights.path, location);
    const source = await openWeights(path, label);
    try {
      const { nlink, size } = await checkRegularFile(source, label, maxWeightBytes, { path, within });
      if (nlink > 1) throw new RefusedError(`${label} are a hard link to another file`);
      const digest = await copyOver(source, join(folder, location), size, signal);
      const wanted = weights.sha256[location];
      if (digest !== wanted)
        throw new RefusedError(`${label} have SHA-256 ${digest}, metadata.json says ${wanted}`);
      const fault = findRangeFault(ranges, size);
      if (fault !== undefined) throw new RefusedError(`${label}: ${fault}`);
    } finally {
      await source.close();
    }
  }
}

function checkLocation(location: string, sha256: Manifest['sha256']): void {
  const label = `external weights ${JSON.stringify(location)}`;
  if (!isPlainLocation(location)) {
    throw new RefusedError(`${label} must be a plain path inside the version's folder`);
  }
  const taken = reservedNameOf(location);
  if (taken !== undefined) throw new RefusedError(`${label} must have a name of their own, not ${taken}`);
  if (!Object.hasOwn(sha256, location)) {
    throw new RefusedError(`${label} have no digest in metadata.json: add it under /sha256`);
  }
}

function openWeights(path: string, label: string): Promise<FileHandle> {
  return open(path, openFlags).catch((cause) => {
    const code = codeOf(cause);
    const advice =
      code === 'ENOENT' ? ': put the file that the exporter wrote into the version, under this name' : '';
    throw new RefusedError(`${label} cannot be opened (${code})${advice}`, { cause });
  });
}

/** Returns the SHA-256 of the copied bytes. */
async function copyOver(
  source: FileHandle,
  target: string,
  size: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const refuse = (cause: unknown): never => {
    throw toCopyRefusal(cause, size);
  };
  await mkdir(dirname(target), { recursive: true }).catch(refuse);
  const copy = await open(target, 'wx', 0o600).catch(refuse);
  const hash = createHash('sha256');
  try {
    for await (const chunk of source.createReadStream({ autoClose: false })) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
      await copy.writeFile(chunk as Buffer).catch(refuse);
    }
  } finally {
    await copy.close();
  }
  return hash.digest('hex');
}
