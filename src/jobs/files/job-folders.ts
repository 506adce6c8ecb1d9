import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../errors.js';
import { tagOfOwner } from '../queue/digests.js';

/**
 * The folders of the embedded store:
 *
 *     drafts/   submissions that are still arriving
 *     open/     accepted jobs: a folder each, with job.json, rows.ndjson, results/ and claims/
 *     ended/    the same, with end.json as well
 *     keys/     idempotency keys: a file each, which names its job
 *     damaged/  jobs whose record cannot be read
 *     workers/  processes that run chunks: a file each, written again while the process lives
 *
 * A job changes its state when its folder is renamed, which is atomic.
 */
export class JobFolders {
  readonly #stateDir: string;
  readonly #root: string;
  #isCreated = false;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.#root = join(stateDir, 'jobs');
  }

  get root(): string {
    return this.#root;
  }

  /** Creates the folders. The rows of clients lie there: only the server's user may read them. */
  async create(): Promise<void> {
    if (this.#isCreated) return;
    const names = ['drafts', 'open', 'ended', 'keys', 'workers'];
    // Not `recursive`, which never ends below /proc (Node 20.20), and would hide a misspelt path.
    for (const folder of [this.#stateDir, this.#root, ...names.map((name) => join(this.#root, name))]) {
      await mkdir(folder, { mode: 0o700 }).catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
    }
    this.#isCreated = true;
  }

  /** The folders may be gone: the next `create` looks. */
  forget(): void {
    this.#isCreated = false;
  }

  /** Moves a job whose record cannot be read to `damaged/`, where a person may look at it. */
  async setAside(name: string): Promise<void> {
    await mkdir(join(this.#root, 'damaged'), { mode: 0o700 }).catch((error) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await ifThere(rename(this.open(name), join(this.#root, 'damaged', name)));
  }

  draft(name: string): string {
    return join(this.#root, 'drafts', name);
  }

  open(name = ''): string {
    return join(this.#root, 'open', name);
  }

  ended(name = ''): string {
    return join(this.#root, 'ended', name);
  }

  key(name = ''): string {
    return join(this.#root, 'keys', name);
  }

  worker(name = ''): string {
    return join(this.#root, 'workers', name);
  }

  get drafts(): string {
    return join(this.#root, 'drafts');
  }
}

/** The name of a job's folder: its id, and its owner, so that another owner does not find it. */
export function nameOfJob(id: string, owner: string): string {
  return `${id}.${tagOfOwner(owner)}`;
}

/** The parts of a folder's name; undefined for a name of another form. */
export function readJobName(name: string): { readonly id: string; readonly tag: string } | undefined {
  const [, id, tag] = /^([0-9a-f-]{36})\.([0-9a-f]{16})$/.exec(name) ?? [];
  return id === undefined || tag === undefined ? undefined : { id, tag };
}

/** Undefined if the file or the folder is not there. */
export async function ifThere<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
