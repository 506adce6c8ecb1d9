import { rmSync } from 'node:fs';
import { lstat, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RefusedError } from '../../errors.js';
import type { ModelSource } from '../../inference/runner/model-source.js';
import { toCopyRefusal } from './copy-fault.js';
import { copyPrefix } from './copy-name.js';
import { checkWeights, copyWeights, type Weights } from './copy-weights.js';

/** What a copy is made of. */
export interface CopyParts {
  readonly weights: Weights;
  /** Reads the model once more out of the registry, checked as at its load. Throws `RefusedError`. */
  readonly reread: () => Promise<Uint8Array>;
}

/** A cleaner removes what nobody has touched for days. */
const touchEveryMs = 3_600_000;

/** Where a copy is, and which files it is made of. */
interface Place {
  readonly folder: string;
  readonly modelPath: string;
  readonly files: readonly { readonly path: string; identity: string }[];
}

/**
 * A private copy of a model with its external weights, for the engine alone to open. The engine maps weights into
 * memory: were it given the registry's own files, a later change to them would change answers, or end the process with
 * SIGBUS. A copy that somebody has removed is made again out of the registry.
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

  /** Throws `RefusedError`, and the signal's reason; nothing is left behind then. */
  static async make(
    parts: CopyParts,
    model: Uint8Array,
    { signal, onRemade }: CopyOptions = {},
  ): Promise<PrivateCopy> {
    return new PrivateCopy(parts, await makePlace(parts.weights, model, signal), onRemade);
  }

  /** The copy, which is made again where files of it are gone. Throws `RefusedError` where it cannot be. */
  async provide(): Promise<{ readonly path: string; readonly copy: string }> {
    const before = this.#place;
    const place = await before.catch(() => undefined);
    // Whoever comes second waits for the copy that the first one makes.
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
    // A change that somebody has made must not be forgotten: the next child gets another copy.
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
  /** Called when the copy was gone and is there again. */
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

/** Whether each file of a copy is there, and is the one that was written. */
async function isWhole({ files }: Place): Promise<boolean> {
  const found = await Promise.all(files.map(({ path }) => identify(path).catch(() => undefined)));
  return files.every(({ identity }, k) => found[k] === identity);
}

/**
 * A number of a file is given to another one at once, hence its time of birth. A write into the file changes its time of
 * change, which nobody can set.
 */
async function identify(path: string): Promise<string> {
  const { ino, size, birthtimeNs, ctimeNs } = await lstat(path, { bigint: true });
  return `${ino} ${size} ${birthtimeNs} ${ctimeNs}`;
}

/** Those that this process has made, which it removes at its end where a version was in use until then. */
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
      // The next start tells of what it cannot remove.
    }
  }
}

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  folders.delete(folder);
  if (folders.size === 0) process.off('exit', removeAll);
}
