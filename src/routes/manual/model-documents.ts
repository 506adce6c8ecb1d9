import type { FastifyInstance } from 'fastify';
import { chooseVersion, type ModelState } from '../../models/registry/choose-version.js';
import { type DocumentedModels, describeModels } from '../../schemas/openapi/document.js';
import { type OpenApiDocument, toJson } from '../../schemas/openapi/json.js';
import { toYaml } from '../../schemas/openapi/yaml.js';
import { runInSlices, type Steps } from '../../time/slices.js';
import { type ServedBytes, toServedBytes } from './served-bytes.js';

export type DocumentForm = 'json' | 'yaml';

/** How long predictions wait for a document that is being made, as a rule. */
const sliceMs = 4;

interface MadeDocument {
  /** Of the models that it shows; undefined as long as its making has not begun. */
  revision: number | undefined;
  bytes: Promise<ServedBytes>;
}

/** The OpenAPI document of the loaded models, as bytes. Each form is made once after a change of the models. */
export class ModelDocuments {
  readonly #app: FastifyInstance;
  readonly #made = new Map<string, MadeDocument>();
  /** Settles when all documents are made. They are made one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  get(form: DocumentForm, hasVersions: boolean): Promise<ServedBytes> {
    const name = `${form} ${hasVersions}`;
    const { revision } = this.#app.registry;
    const known = this.#made.get(name);
    if (known !== undefined && (known.revision ?? revision) === revision) return known.bytes;
    const begin = (): Promise<ServedBytes> => {
      document.revision = this.#app.registry.revision;
      return runInSlices(this.#make(form, hasVersions), sliceMs);
    };
    const document: MadeDocument = { revision: undefined, bytes: this.#last.then(begin) };
    this.#made.set(name, document);
    this.#last = document.bytes.catch(() => {
      if (this.#made.get(name) === document) this.#made.delete(name);
    });
    return document.bytes;
  }

  *#make(form: DocumentForm, hasVersions: boolean): Steps<ServedBytes> {
    const routes = this.#app.swagger() as unknown as OpenApiDocument;
    const document = yield* describeModels(routes, listModels(this.#app), hasVersions);
    const text = yield* form === 'json' ? toJson(document) : toYaml(document);
    yield;
    return toServedBytes(text, `application/${form}; charset=utf-8`);
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
