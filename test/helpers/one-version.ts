import { messageOf, type Problem, RefusedError, ServiceError } from '../../src/errors.js';
import { createLoader, type LoaderOptions } from '../../src/models/loading/loader.js';
import type { LoadedVersion } from '../../src/models/registry/loaded-version.js';
import type { Answer } from '../../src/models/tasks/task.js';
import { createRegistryFolder, type VersionParts } from './registry-folder.js';

export type Manifest = VersionParts['manifest'];

/** The result for a client: the fields of the answer, or the error's code with its text. */
export interface Outcome {
  readonly code: string;
  readonly detail?: string | undefined;
  readonly problems?: readonly Problem[] | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever came back
  readonly [member: string]: any;
}

export interface OneVersion extends Disposable {
  ask(body: unknown): Promise<Outcome>;
  /** The example of the version. */
  readonly example: unknown;
  readonly loaded: LoadedVersion;
}

/** Limits that no sound model of the tests reaches. */
export const ample = { loadTimeoutMs: 20_000, maxMemoryBytes: 4 * 1_024 ** 3, maxOutputBytes: 16_777_216 };

/** Loads versions as a server does. Its sandbox tries one after the other, and does not keep the process alive. */
export const loaderOf = (options: Partial<LoaderOptions> = {}) => createLoader({ ...ample, ...options });
const shared = loaderOf();
export const loadVersion = shared.load;
/** The answer of the version to a body, without a cache. Throws as `Task` does. */
export async function answerBody(loaded: LoadedVersion, body: unknown): Promise<Answer> {
  return loaded.task.check(body).answer(loaded.createCall({ arrivedAt: performance.now() }));
}

/** One version `m/1`, loaded from its own registry as a server does, but without a server. */
export async function loadOne(manifest: Manifest, model: Uint8Array, golden?: unknown): Promise<OneVersion> {
  using registry = createRegistryFolder();
  const folder = registry.addVersion('m', '1', { manifest, model, golden });
  const loaded = await loadVersion(folder, 'm', '1');
  return {
    loaded,
    example: loaded.task.example,
    ask: (body) =>
      answerBody(loaded, body).then(
        ({ fieldsJson: members }): Outcome => ({ code: 'ok', ...JSON.parse(`{${members}}`) }),
        (error: unknown): Outcome => {
          if (!(error instanceof ServiceError)) throw error;
          return { code: error.code, detail: error.detail, problems: error.problems };
        },
      ),
    [Symbol.dispose]: () => loaded.retire(),
  };
}

/** The answer of the version `m/1` in a folder to a body, as the members of its JSON, or the reason of its refusal. */
export async function answerOrReason(folder: string, body: unknown): Promise<string> {
  try {
    const loaded = await loadVersion(folder, 'm', '1');
    const { fieldsJson } = await answerBody(loaded, body);
    loaded.retire();
    return fieldsJson;
  } catch (error) {
    if (error instanceof RefusedError) return error.message;
    throw new Error(`not a refusal: ${messageOf(error)}`, { cause: error });
  }
}

/** Why a version is refused; the empty text if it is not. */
export async function refusalOf(manifest: Manifest, model: Uint8Array, golden?: unknown): Promise<string> {
  try {
    using _ = await loadOne(manifest, model, golden);
    return '';
  } catch (error) {
    if (error instanceof RefusedError) return error.message;
    throw new Error(`not a refusal: ${messageOf(error)}`, { cause: error });
  }
}
