import type { FastifyInstance } from 'fastify';
import { chooseVersion, type ModelState } from '../../models/registry/choose-version.js';
import { type DocumentedModels, describeModels } from '../../schemas/openapi/document.js';
import type { OpenApiDocument } from '../../schemas/openapi/json.js';
import { toYaml } from '../../schemas/openapi/yaml.js';
import { type ServedBytes, toServedBytes } from './served-bytes.js';

export type DocumentForm = 'json' | 'yaml';

/** The OpenAPI document of the loaded models, as bytes. Each form is made once after a change of the models. */
export class ModelDocuments {
  readonly #app: FastifyInstance;
  readonly #made = new Map<string, ServedBytes>();
  #revision: number | undefined;

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  get(form: DocumentForm, hasVersions: boolean): ServedBytes {
    const { revision } = this.#app.registry;
    if (revision !== this.#revision) this.#made.clear();
    this.#revision = revision;
    const name = `${form} ${hasVersions}`;
    const made = this.#made.get(name) ?? this.#make(form, hasVersions);
    this.#made.set(name, made);
    return made;
  }

  #make(form: DocumentForm, hasVersions: boolean): ServedBytes {
    const routes = this.#app.swagger() as unknown as OpenApiDocument;
    const document = describeModels(routes, listModels(this.#app), hasVersions);
    return form === 'json'
      ? toServedBytes(JSON.stringify(document), 'application/json; charset=utf-8')
      : toServedBytes(toYaml(document), 'application/yaml; charset=utf-8');
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
