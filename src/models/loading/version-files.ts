import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { RefusedError } from '../../errors.js';
import { placesOfVersion } from '../../files/file-place.js';
import { digestOf, readRegularFile } from '../../files/regular-file.js';
import { maxModelBytes } from '../../inference/onnx/file-kind.js';
import type { Manifest } from '../manifest/manifest.js';
import { parseManifest } from '../manifest/parse-manifest.js';

/** The files of one version, checked against the digests of its manifest. */
export interface VersionFiles {
  readonly path: string;
  readonly manifest: Manifest;
  /** SHA-256 of the manifest, which holds every other digest. */
  readonly identity: string;
  readonly model: Buffer;
  readonly golden?: Buffer;
  readonly reference?: Buffer;
}

const mebibyte = 1_048_576;
const limits = {
  'metadata.json': 4 * mebibyte,
  'model.onnx': maxModelBytes,
  'golden.json': 64 * mebibyte,
  'reference.json': 64 * mebibyte,
} as const;

/** Throws `RefusedError` with advice. */
export async function readVersionFiles(path: string, model: string, version: string): Promise<VersionFiles> {
  const within = await placesOfVersion(path);
  const metadata = await readRegularFile(
    join(path, 'metadata.json'),
    'metadata.json',
    limits['metadata.json'],
    { within },
  );
  if (metadata === undefined) throw new RefusedError('metadata.json is not there');
  const manifest = parseManifest(metadata);
  if (manifest.name !== model)
    throw new RefusedError(`metadata.json: /name is ${manifest.name}, the folder says ${model}`);
  if (manifest.version !== version) {
    throw new RefusedError(`metadata.json: /version is ${manifest.version}, the folder says ${version}`);
  }
  const bytes = await readChecked(path, within, manifest, 'model.onnx');
  if (bytes === undefined) throw new RefusedError('model.onnx is not there');
  const golden = await readChecked(path, within, manifest, 'golden.json');
  const reference = await readChecked(path, within, manifest, 'reference.json');
  const companions = { ...(golden && { golden }), ...(reference && { reference }) };
  return { path, manifest, identity: digestOf(metadata), model: bytes, ...companions };
}

async function readChecked(
  path: string,
  within: readonly string[],
  manifest: Manifest,
  name: keyof typeof limits,
): Promise<Buffer | undefined> {
  // Hashed in chunks, since one hash of a large file blocks the loop for seconds.
  const hash = createHash('sha256');
  const bytes = await readRegularFile(join(path, name), name, limits[name], {
    within,
    onChunk: (chunk) => hash.update(chunk),
  });
  const wanted = manifest.sha256[name];
  if (bytes === undefined && wanted === undefined) return undefined;
  if (bytes === undefined)
    throw new RefusedError(`${name} is not there, although metadata.json has its digest`);
  if (wanted === undefined)
    throw new RefusedError(`${name} has no digest in metadata.json: add it under /sha256`);
  const digest = hash.digest('hex');
  if (digest !== wanted) {
    throw new RefusedError(
      `${name} has SHA-256 ${digest}, metadata.json says ${wanted}: the file is damaged or was replaced`,
    );
  }
  return bytes;
}
