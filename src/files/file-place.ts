import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The resolved path of an open file, from its handle: a path could lead to another file before it is read. */
async function placeOf(handle: FileHandle, path: string): Promise<string | undefined> {
  const named = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => undefined);
  if (named !== undefined) return named.replace(/ \(deleted\)$/, '');
  // Not Linux: use the path if it still leads to the open file.
  const real = await realpath(path).catch(() => undefined);
  const [opened, found] = [await handle.stat(), real && (await stat(real).catch(() => undefined))];
  return found && found.ino === opened.ino && found.dev === opened.dev ? real : undefined;
}

/** The folders with their own links resolved. A missing folder is left out. */
export async function placesOf(folders: readonly string[]): Promise<readonly string[]> {
  const places: string[] = [];
  for (const folder of folders) {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined);
    if (handle === undefined) continue;
    try {
      const place = await placeOf(handle, folder);
      if (place !== undefined) places.push(place);
    } finally {
      await handle.close();
    }
  }
  return places;
}

export async function liesWithin(
  handle: FileHandle,
  path: string,
  places: readonly string[],
): Promise<boolean> {
  const place = await placeOf(handle, path);
  return place !== undefined && places.some((folder) => place.startsWith(join(folder, '/')));
}

/**
 * The folders in which the files of a version may lie: the version's own and the registry's. Both may be links
 * themselves (git-sync, KServe's modelcars), and files may be links inside them (`..data` in volumes of Kubernetes).
 */
export function placesOfVersion(path: string): Promise<readonly string[]> {
  return placesOf([path, join(path, '..', '..')]);
}
