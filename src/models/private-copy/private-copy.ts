import { rmSync } from 'node:fs';
import { lstat, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RefusedError } from '../../errors.js';
import type { ModelSource } from '../../inference/runner/model-source.js';
import { toCopyRefusal } from './copy-fault.js';
import { copyPrefix } from './copy-name.js';
import { checkWeights, copyWeights, type Weights } from './copy-weights.js';

export interface CopyParts {
  readonly weights: Weights;
  /** Reads the model from the registry again, with the same checks as its load. Throws `RefusedError`. */
  readonly reread: () => Promise<Uint8Array>;
}

/** Cleaners of temporary folders remove files that nobody has touched for days. */
const touchEveryMs = 3_600_000;

interface Place {
  readonly folder: string;
  readonly modelPath: string;
  readonly files: readonly { readonly path: string; identity: string }[];
}

/**
 * A private copy of a model and its external weights. The engine maps weights into memory: if it mapped the registry's
 * own files, a later change to them would change answers or end the process with SIGBUS.
 */
export class PrivateCopy implements ModelSource {
  readonly #parts: CopyParts;
  readonly #onRemade: (() => void) | undefined;
  readonly #touching: NodeJS.Timeout;
  #place: Promise<Place>;
  #isRemoved = false;

  private constructor(parts: CopyParts, place: Place, onRemade?: () => void) {
    this.#parts = parts;
    this.#onRemade = onRemade;
    this.#place = Promise.resolve(place);
    this.#touching = setInterval(() => void this.#touch().catch(() => undefined), touchEveryMs);
    this.#touching.unref();
  }

  /** The caller must `remove` the copy. Throws `RefusedError` or the signal's reason, and then leaves no files. */
  static async make(
    parts: CopyParts,
    model: Uint8Array,
    { signal, onRemade }: CopyOptions = {},
  ): Promise<PrivateCopy> {
    return new PrivateCopy(parts, await makePlace(parts.weights, model, signal), onRemade);
  }

  /** Returns the copy, which is made again if files are missing or changed. Throws `RefusedError` if that fails. */
  async provide(): Promise<{ readonly path: string; readonly copy: string }> {
    const before = this.#place;
    const place = await before.catch(() => undefined);
    // Concurrent calls wait for the copy that the first call makes.
    if (this.#place === before && (place === undefined || !(await isWhole(place)))) {
      if (this.#place === before) this.#place = this.#remake(place);
    }
    const { modelPath, folder } = await this.#place;
    return { path: modelPath, copy: folder };
  }

  async remove(): Promise<void> {
    this.#isRemoved = true;
    clearInterval(this.#touching);
    const place = await this.#place.catch(() => undefined);
    if (place !== undefined) await removeFolder(place.folder);
  }

  async #remake(before: Place | undefined): Promise<Place> {
    if (before !== undefined) await removeFolder(before.folder);
    if (this.#isRemoved) throw new RefusedError('the version has been retired');
    const place = await makePlace(this.#parts.weights, await this.#parts.reread());
    this.#onRemade?.();
    return place;
  }

  async #touch(): Promise<void> {
    const place = await this.#place;
    // If a file was changed, its old identity is kept, so that the next child gets a new copy.
    const wasWhole = await isWhole(place);
    const now = new Date();
    await utimes(place.folder, now, now);
    for (const file of place.files) {
      await utimes(file.path, now, now);
      if (wasWhole) file.identity = await identify(file.path);
    }
  }
}

interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after a missing or changed copy was made again. */
  readonly onRemade?: (() => void) | undefined;
}

async function makePlace(weights: Weights, model: Uint8Array, signal?: AbortSignal): Promise<Place> {
  checkWeights(weights);
  const refuse = async (cause: unknown): Promise<never> => {
    throw toCopyRefusal(cause, model.length + (await countBytes(weights)));
  };
  const folder = await mkdtemp(join(tmpdir(), copyPrefix())).catch(refuse);
  noteFolder(folder);
  try {
    await copyWeights(weights, folder, signal);
    const modelPath = join(folder, 'model.onnx');
    await writeFile(modelPath, model, { flag: 'wx', mode: 0o600 }).catch(refuse);
    const paths = [modelPath, ...[...weights.files.keys()].map((location) => join(folder, location))];
    const files = await Promise.all(paths.map(async (path) => ({ path, identity: await identify(path) })));
    return { folder, modelPath, files };
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
}

async function countBytes({ path, files }: Weights): Promise<number> {
  const sizes = [...files.keys()].map((location) =>
    stat(join(path, location)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function isWhole({ files }: Place): Promise<boolean> {
  const found = await Promise.all(files.map(({ path }) => identify(path).catch(() => undefined)));
  return files.every(({ identity }, k) => found[k] === identity);
}

/**
 * Inode numbers are reused at once, so the identity includes the time of birth. A write into the file changes its
 * ctime, which no program can set.
 */
async function identify(path: string): Promise<string> {
  const { ino, size, birthtimeNs, ctimeNs } = await lstat(path, { bigint: true });
  return `${ino} ${size} ${birthtimeNs} ${ctimeNs}`;
}

/** Folders of this process. Its exit removes the folders of versions that were in use until then. */
const folders = new Set<string>();

function noteFolder(folder: string): void {
  if (folders.size === 0) process.once('exit', removeAll);
  folders.add(folder);
}

function removeAll(): void {
  for (const folder of folders) {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // The next start tries again, and logs what it cannot remove.
    }
  }
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  folders.delete(folder);
  if (folders.size === 0) process.off('exit', removeAll);
}
