import type { FastifyInstance } from 'fastify';
import { chooseVersion, type ModelState } from '../../models/registry/choose-version.js';
import { type DocumentedModels, describeModels } from '../../schemas/openapi/document.js';
import { type OpenApiDocument, toJson } from '../../schemas/openapi/json.js';
import { toYaml } from '../../schemas/openapi/yaml.js';
import { runInSlices, type Steps } from '../../time/slices.js';
import { type ServedBytes, toServedBytes } from './served-bytes.js';

export type DocumentForm = 'json' | 'yaml';

/** Predictions wait for at most one slice of the document that is being made. */
const sliceMs = 4;

/** The OpenAPI document of the loaded models, as bytes. Each form is made once after a change of the models. */
export class ModelDocuments {
  readonly #app: FastifyInstance;
  readonly #made = new Map<string, Promise<ServedBytes>>();
  #revision: number | undefined;

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  get(form: DocumentForm, hasVersions: boolean): Promise<ServedBytes> {
    const { revision } = this.#app.registry;
    if (revision !== this.#revision) this.#made.clear();
    this.#revision = revision;
    const name = `${form} ${hasVersions}`;
    const made = this.#made.get(name) ?? runInSlices(this.#make(form, hasVersions), sliceMs);
    this.#made.set(name, made);
    return made;
  }

  *#make(form: DocumentForm, hasVersions: boolean): Steps<ServedBytes> {
    const routes = this.#app.swagger() as unknown as OpenApiDocument;
    const document = yield* describeModels(routes, listModels(this.#app), hasVersions);
    return form === 'json'
      ? toServedBytes(yield* toJson(document), 'application/json; charset=utf-8')
      : toServedBytes(yield* toYaml(document), 'application/yaml; charset=utf-8');
  }
}

function listModels({ registry }: FastifyInstance): DocumentedModels {
  const models = registry.list().map((model) => ({
    name: model.name,
    current: attempt(() => chooseVersion(model)),
    versions: listReady(model),
  }));
  return { models, fallback: attempt(() => chooseVersion(registry.findDefault())) };
}

function listReady({ versions }: ModelState) {
  return [...versions.values()].flatMap((it) => (it.state === 'ready' ? [it.loaded] : []));
}

function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
