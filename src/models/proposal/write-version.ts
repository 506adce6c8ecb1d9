import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { codeOf, RefusedError } from '../../errors.js';
import { checkRegularFile, digestOf } from '../../files/regular-file.js';
import { syncFolder } from '../../files/replace-file.js';
import type { ManifestFile } from '../manifest/manifest.js';
import { isPlainLocation, maxWeightBytes, reservedNameOf } from '../manifest/weights-location.js';
import { draftName, removeAbandonedDrafts } from './drafts.js';

/** A version to write. `manifest` has no digests, which are computed from the written files. */
export interface NewVersion {
  readonly root: string;
  readonly manifest: Omit<ManifestFile, 'sha256'>;
  readonly model: Uint8Array;
  /** Golden rows and reference, by file name. */
  readonly companions: Readonly<Record<string, Uint8Array>>;
  /** Locations of the external weights in the graph, below `weightsFolder`. */
  readonly weights: readonly string[];
  readonly weightsFolder: string;
  /** Aborts the work and removes the written files. */
  readonly signal: AbortSignal;
  /** Called with the draft's folder before it is made. */
  readonly onDraft?: (folder: string) => void;
}

/**
 * Writes a whole version or nothing. The files are written and synced in a draft folder, whose name begins with a dot;
 * then `prove` is called with the draft, and if it does not throw, the draft is renamed. Throws `RefusedError` if the
 * version exists already, or the signal's reason. Also removes abandoned drafts from the model's folder.
 */
export async function writeVersion<T>(version: NewVersion, prove: (path: string) => Promise<T>): Promise<T> {
  const { name, version: versionName } = version.manifest;
  const parent = join(version.root, name);
  const target = join(parent, versionName);
  await refuseExisting(target);
  await mkdir(parent, { recursive: true });
  await removeAbandonedDrafts(parent);
  const folder = join(parent, draftName(versionName));
  version.onDraft?.(folder);
  try {
    await mkdir(folder);
    await fill(folder, version);
    version.signal.throwIfAborted();
    const proof = await prove(folder);
    version.signal.throwIfAborted();
    await rename(folder, target).catch((cause) => {
      if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(cause))) throw alreadyThere(target, cause);
      throw cause;
    });
    await syncFolder(parent);
    return proof;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    // `rmdir` removes the model's folder only if it is empty, so if it was made for this version.
    await rmdir(parent).catch(() => undefined);
    throw error;
  }
}

async function refuseExisting(target: string): Promise<void> {
  const isThere = await lstat(target).then(
    () => true,
    () => false,
  );
  if (isThere) throw alreadyThere(target);
}

function alreadyThere(target: string, cause?: unknown): RefusedError {
  return new RefusedError(
    `${target} exists already, and a version is never overwritten: choose another --version`,
    { cause },
  );
}

async function fill(folder: string, version: NewVersion): Promise<void> {
  const sha256: Record<string, string> = { 'model.onnx': digestOf(version.model) };
  await writeSynced(join(folder, 'model.onnx'), version.model);
  for (const location of version.weights) {
    sha256[location] = await copyWeights(version, location, folder);
  }
  for (const [name, bytes] of Object.entries(version.companions)) {
    sha256[name] = digestOf(bytes);
    await writeSynced(join(folder, name), bytes);
  }
  const manifest: ManifestFile = { ...version.manifest, sha256 };
  await writeSynced(join(folder, 'metadata.json'), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  await syncFolder(folder);
}

/** Copies a file of weights, whose real path must be below the model's folder. Returns its SHA-256. */
async function copyWeights(
  { weightsFolder: from, signal }: NewVersion,
  location: string,
  to: string,
): Promise<string> {
  const label = `external weights ${JSON.stringify(location)}`;
  if (!isPlainLocation(location) || reservedNameOf(location) !== undefined) {
    throw new RefusedError(
      `${label} must be a plain path below the model's folder, with a name of their own`,
    );
  }
  const path = await realpath(join(from, location)).catch((cause) => {
    throw new RefusedError(
      `${label} cannot be found beside the model (${codeOf(cause)}): put the file that the exporter wrote there, under this name`,
      { cause },
    );
  });
  if (!path.startsWith(join(await realpath(from), sep)))
    throw new RefusedError(`${label} lead out of the model's folder`);
  const source = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const { mode, nlink } = await checkRegularFile(source, label, maxWeightBytes);
    // Another name of the file may belong to another user, with other access rights.
    if (nlink > 1) throw new RefusedError(`${label} are a hard link to another file: copy them with cp`);
    await mkdir(dirname(join(to, location)), { recursive: true });
    const copy = await open(join(to, location), 'wx', mode & 0o666);
    try {
      return await copySynced(source, copy, signal);
    } finally {
      await copy.close();
    }
  } finally {
    await source.close();
  }
}

async function copySynced(source: FileHandle, copy: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of source.createReadStream({ autoClose: false })) {
    signal.throwIfAborted();
    hash.update(chunk as Buffer);
    await copy.writeFile(chunk as Buffer);
  }
  await copy.sync();
  return hash.digest('hex');
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
