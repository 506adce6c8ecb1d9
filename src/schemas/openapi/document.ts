import type { ErrorCode } from '../../errors.js';
import type { LoadedVersion } from '../../models/registry/loaded-version.js';
import type { Steps } from '../../time/slices.js';
import { isV1 } from '../v1-error.js';
import { batchCodes, withBatchExample } from './batch-operation.js';
import { feedbackCodes } from './feedback-operation.js';
import type { Json, OpenApiDocument } from './json.js';
import { nameAll } from './operation-ids.js';
import { describeGeneralPrediction, describePrediction, withOrigin } from './predict-operation.js';
import { describeResponses } from './responses.js';
import { describeGeneralV1, describeV1Prediction, describeV1Schemas } from './v1-operation.js';

export const securitySchemes = {
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key, as `Authorization: Bearer`' },
} as const;

export interface DocumentedModel {
  readonly name: string;
  /** The version that answers a request without a version. */
  readonly current: LoadedVersion | undefined;
  /** The ready versions. */
  readonly versions: readonly LoadedVersion[];
}

export interface DocumentedModels {
  readonly models: readonly DocumentedModel[];
  /** The version that answers plain `/predict`. */
  readonly fallback: LoadedVersion | undefined;
}

/** Endings of the operation ids of general paths, such as `predictWithModel`. */
const generalNames = ['WithModel', 'WithVersion', 'WithLabel'];

/** General paths of KServe's protocol and their operation ids. */
const modelV1 = ['/v1/models/{model}:predict', 'inferWithModel'] as const;
const versionsV1 = [
  ['/v1/models/{model}/versions/{version}:predict', 'inferWithVersion'],
  ['/v1/models/{model}/labels/{version}:predict', 'inferWithLabel'],
] as const;

/** Marks a route with a rate limit. The mark is removed from the document. */
export const limitedMark = 'x-limited';

const fixedTags = [
  { name: 'models', description: 'Models and versions, loaded or refused' },
  {
    name: 'batch',
    description: 'Many rows in one request, each answered by itself: at once, or later as a job',
  },
  { name: 'feedback', description: 'What really happened, and the quality of models that follows from it' },
  { name: 'KServe v1', description: 'For clients of KServe and TensorFlow Serving' },
  { name: 'health', description: 'For people, Kubernetes and Prometheus' },
  { name: 'admin', description: 'For operators' },
];

const versionCodes: readonly ErrorCode[] = [
  'model_not_found',
  'version_not_found',
  'not_ready',
  'model_unavailable',
];

const ownCodes: Readonly<Record<string, readonly ErrorCode[]>> = {
  '/models/{model}': ['model_not_found', 'model_unavailable'],
  '/models/{model}/versions/{version}': ['model_not_found', 'version_not_found', 'model_unavailable'],
  '/v1/models/{model}': ['model_not_found', 'not_ready', 'model_unavailable'],
  '/v1/models/{model}/metadata': ['model_not_found', 'not_ready', 'model_unavailable'],
  ...Object.fromEntries(
    ['versions', 'labels'].flatMap((kind) =>
      ['', '/metadata'].map((end) => [`/v1/models/{model}/${kind}/{version}${end}`, versionCodes] as const),
    ),
  ),
  ...batchCodes,
  ...feedbackCodes,
  '/admin/cache': [
    'model_not_found',
    'unsupported_media_type',
    'model_unavailable',
    'cache_unavailable',
    'not_ready',
  ],
};

/**
 * Adds the models to the document of the routes (OpenAPI 3.1). Each model gets its own paths beside the general ones,
 * with its real features, ranges, units and a working example. `hasVersions` adds a path for each version. Others get
 * the thread between two versions.
 */
export function* describeModels(
  base: OpenApiDocument,
  { models, fallback }: DocumentedModels,
  hasVersions: boolean,
): Steps<OpenApiDocument> {
  const routes = Object.entries(base.paths ?? {});
  const schemas: Json = { ...base.components?.schemas };
  // All prediction routes need the same key.
  const security = base.paths?.['/predict']?.['post']?.['security'];
  const names = nameAll(
    models.map(({ name }) => name),
    generalNames,
  );
  const versionNames = nameAll(
    hasVersions ? models.flatMap(({ versions }) => versions.map(toVersionKey)) : [],
    [...generalNames, ...names.values()],
  );

  const listed = models.filter(({ current }) => current !== undefined).map(({ name }) => name);
  const own: [string, Json][] = [];
  for (const model of models) own.push(...(yield* describeModel(model)));
  const paths = Object.fromEntries([
    ...(fallback === undefined ? [] : [['/predict', describeDefault(fallback)]]),
    ...own,
    ['/models/{model}/predict', { post: describeGeneralPrediction({ model: listed }, security) }],
    ...describeGeneralV1Path(modelV1, { model: listed }),
    ...(hasVersions ? describeVersionPaths() : []),
    ...routes
      .filter(([path]) => !path.endsWith('/predict'))
      .map(([path, it]) => [path, describeRoute(path, it)]),
  ]);
  const tags = models.flatMap(({ current, versions }) => {
    const shown = current ?? (hasVersions ? versions[0] : undefined);
    return shown === undefined ? [] : [toTag(shown)];
  });
  return { ...base, tags: [...tags, ...fixedTags], paths, components: { ...base.components, schemas } };

  function describeDefault(loaded: LoadedVersion): Json {
    const summary = `Predict with the default model, ${loaded.name}`;
    return { post: predict(loaded, names.get(loaded.name) as string, { operationId: 'predict', summary }) };
  }

  function* describeModel({ name, current, versions }: DocumentedModel): Steps<[string, Json][]> {
    const modelName = names.get(name) as string;
    const own: [string, Json][] = [];
    if (current !== undefined) {
      const summary = `Predict with ${name}, now version ${current.version}`;
      const frame = { operationId: `predict${modelName}`, summary };
      yield;
      own.push([`/models/${name}/predict`, { post: predict(current, modelName, frame) }]);
      own.push([`/v1/models/${name}:predict`, { post: predictRows(current, modelName) }]);
    }
    if (!hasVersions) return own;
    for (const loaded of versions) {
      const versionName = versionNames.get(toVersionKey(loaded)) as string;
      const summary = `Predict with version ${loaded.version} of ${name}`;
      const frame = { operationId: `predict${versionName}`, summary };
      yield;
      own.push([
        `/models/${name}/versions/${loaded.version}/predict`,
        { post: predict(loaded, versionName, frame) },
      ]);
    }
    return own;
  }

  function describeVersionPaths(): [string, Json][] {
    const version = [...new Set(models.flatMap(({ versions }) => versions.map((it) => it.version)))];
    const post = describeGeneralPrediction({ version }, security);
    return [
      ['/models/{model}/versions/{version}/predict', { post }],
      ...versionsV1.flatMap((it) => describeGeneralV1Path(it, { version })),
    ];
  }

  function describeGeneralV1Path(
    [path, id]: readonly [string, string],
    named: Readonly<Record<string, readonly string[]>>,
  ): [string, Json][] {
    return [[path, { post: describeGeneralV1(path, id, named, security) }]];
  }

  function predict(
    loaded: LoadedVersion,
    name: string,
    frame: { operationId: string; summary: string },
  ): Json {
    const [request, answer] = [`${name}Request`, `${name}Answer`];
    schemas[request] = loaded.task.documentSchema;
    schemas[answer] = withOrigin(loaded.task.answerSchema, { type: 'string', const: loaded.name });
    return describePrediction({ ...frame, security }, loaded, request, answer);
  }

  /** Uses the schemas of a row and of an answer that `predict` has added. */
  function predictRows(loaded: LoadedVersion, name: string): Json {
    const [rows, answers] = [`${name}Instances`, `${name}Predictions`];
    const described = describeV1Schemas(loaded, `${name}Request`, `${name}Answer`);
    schemas[rows] = described.instances;
    schemas[answers] = described.predictions;
    const summary = `Predict many rows with ${loaded.name}, by KServe's protocol`;
    return describeV1Prediction({ operationId: `infer${name}`, summary, security }, loaded, rows, answers);
  }

  function describeRoute(path: string, operations: Readonly<Record<string, Json>>): Json {
    return Object.fromEntries(
      Object.entries(operations).map(([method, { [limitedMark]: mark, responses, ...operation }]) => {
        const gates = {
          isLimited: mark === true,
          needsKey: operation['security'] !== undefined,
          isV1: isV1(path),
        };
        const codes = ownCodes[`${method} ${path}`] ?? ownCodes[path] ?? [];
        const all = describeResponses(responses as Json, codes, gates);
        const isBatch = path === '/predict/batch' && method === 'post' && fallback !== undefined;
        const described = isBatch ? withBatchExample(operation, fallback) : operation;
        return [method, { ...described, responses: all }];
      }),
    );
  }
}

function toTag({ manifest: { name, description } }: LoadedVersion): Json {
  return { name, description: description ?? `Predictions of ${name}` };
}

function toVersionKey({ name, version }: LoadedVersion): string {
  return `${name}/version/${version}`;
}
