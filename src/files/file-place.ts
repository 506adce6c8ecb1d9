import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Where an open file lies once all links on the way to it are followed. It is asked of what has been opened, so that
 * nobody can put something else in its place between the question and the reading. Undefined where nobody knows.
 */
async function placeOf(handle: FileHandle, path: string): Promise<string | undefined> {
  const named = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => undefined);
  if (named !== undefined) return named.replace(/ \(deleted\)$/, '');
  // Not Linux: the name, as long as it leads to the same file.
  const real = await realpath(path).catch(() => undefined);
  const [opened, found] = [await handle.stat(), real && (await stat(real).catch(() => undefined))];
  return found && found.ino === opened.ino && found.dev === opened.dev ? real : undefined;
}

/** Folders, their own links followed, within which files may be read. One that is not there is left out. */
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

/** Whether an open file lies below one of some places, once all links are followed. */
export async function liesWithin(
  handle: FileHandle,
  path: string,
  places: readonly string[],
): Promise<boolean> {
  const place = await placeOf(handle, path);
  return place !== undefined && places.some((folder) => place.startsWith(join(folder, '/')));
}

/**
 * Within which places the files of a version may lie: its own folder, and the registry's. Either may be a link itself,
 * as git-sync and KServe's modelcars make them, and files may be links within them, as Kubernetes mounts volumes
 * (`..data`).
 */
export function placesOfVersion(path: string): Promise<readonly string[]> {
  return placesOf([path, join(path, '..', '..')]);
}
