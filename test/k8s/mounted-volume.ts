import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export type VolumeFiles = Readonly<Record<string, Uint8Array | string>>;

/**
 * Changes a folder as the kubelet changes a mounted ConfigMap or Secret (`pkg/volume/util/atomic_writer.go`). The files
 * lie in a folder `..2026_11_28_…`; the link `..data` leads to it and is replaced by a rename; the visible files are
 * links through `..data`; the old folder is removed at once. If `items` have paths with folders, the first part of the
 * path is the link.
 */
export function writeMountedVolume(path: string, files: VolumeFiles, group?: number): void {
  const data = join(path, '..data');
  const before = readlinkIfThere(data);
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_');
  const folder = mkdtempSync(join(path, `..${stamp}.`));
  chmodSync(folder, 0o755);
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    if (group === undefined) continue;
    chownSync(file, 0, group);
    chmodSync(file, 0o440);
  }
  symlinkSync(folder.slice(path.length + 1), join(path, '..data_tmp'));
  renameSync(join(path, '..data_tmp'), data);
  const names = new Set(Object.keys(files).map((name) => name.split('/')[0] as string));
  const seen = readdirSync(path).filter((name) => !name.startsWith('..'));
  for (const name of names) if (!seen.includes(name)) symlinkSync(join('..data', name), join(path, name));
  for (const name of seen) if (!names.has(name)) rmSync(join(path, name));
  if (before !== undefined) rmSync(join(path, before), { recursive: true });
}

function readlinkIfThere(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false }) && readlinkSync(path);
}
