import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { TypeCompiler, type ValueError } from '@sinclair/typebox/compiler';
import { describeValue, pointerToken } from '../inference/text.js';
import { findValueFault } from './feature-value.js';

const strict = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 256 });
const Scalar = Type.Union([Type.Number(), Type.String(), Type.Boolean()]);

export const modelNamePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
export const versionNamePattern = /^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$/;

const Feature = Type.Object(
  {
    name: Name,
    type: Type.Union([
      Type.Literal('integer'),
      Type.Literal('number'),
      Type.Literal('string'),
      Type.Literal('boolean'),
    ]),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
    unit: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    example: Type.Optional(Type.Union([Scalar, Type.Null()])),
    nullable: Type.Optional(Type.Boolean()),
    default: Type.Optional(Type.Union([Scalar, Type.Null()])),
    enum: Type.Optional(Type.Array(Type.String(), { minItems: 1, uniqueItems: true })),
    codes: Type.Optional(Type.Record(Type.String(), Type.Number(), { minProperties: 1 })),
    missing: Type.Optional(Scalar),
  },
  strict,
);

const Output = Type.Object(
  {
    label: Type.Optional(Name),
    probabilities: Type.Optional(Name),
    classes: Type.Optional(
      Type.Union([
        Type.Array(Type.String(), { minItems: 1, uniqueItems: true }),
        Type.Array(Type.Integer(), { minItems: 1, uniqueItems: true }),
        Type.Array(Type.Boolean(), { minItems: 1, uniqueItems: true }),
      ]),
    ),
    threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    activation: Type.Optional(Type.Union([Type.Literal('softmax'), Type.Literal('sigmoid')])),
    labelIs: Type.Optional(Type.Union([Type.Literal('position'), Type.Literal('class')])),
    value: Type.Optional(Name),
    names: Type.Optional(Type.Array(Name, { minItems: 2, uniqueItems: true })),
  },
  strict,
);

const Runtime = Type.Object(
  {
    executor: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Literal('inline'), Type.Literal('isolated')]),
    ),
    maxBatchRows: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
    maxBatchDelayMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000 })),
    intraOpNumThreads: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600_000 })),
    maxQueueRows: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    cache: Type.Optional(Type.Boolean()),
  },
  strict,
);

/** `metadata.json` of a version, as it stands in the file. */
export const ManifestSchema = Type.Object(
  {
    name: Type.String({ pattern: modelNamePattern.source }),
    version: Type.String({ pattern: versionNamePattern.source }),
    timestamp: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    task: Type.Union([Type.Literal('classification'), Type.Literal('regression'), Type.Literal('tensor')]),
    features: Type.Optional(
      Type.Union([Type.Array(Feature, { minItems: 1 }), Type.Array(Name, { minItems: 1 })]),
    ),
    inputs: Type.Optional(
      Type.Record(Type.String(), Type.Array(Name, { minItems: 1 }), { minProperties: 1 }),
    ),
    output: Type.Optional(Output),
    metrics: Type.Optional(Type.Record(Type.String(), Type.Number())),
    training_samples: Type.Optional(Type.Integer({ minimum: 0 })),
    sha256: Type.Record(Type.String(), Type.String({ pattern: '^[0-9a-f]{64}$' })),
    runtime: Type.Optional(Runtime),
  },
  { ...strict, $id: 'Manifest' },
);

export type Feature = Static<typeof Feature>;
export type ManifestFile = Static<typeof ManifestSchema>;
/** A manifest past every check that needs no graph: the features are spelt out. */
export type Manifest = Omit<ManifestFile, 'features'> & { readonly features?: readonly Feature[] };

/** Why a manifest or a version is refused: one line that a person can act on. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

const compiled = TypeCompiler.Compile(ManifestSchema);

/**
 * Parses and checks the bytes of a `metadata.json`.
 * Throws `RefusedError` that names each offending key by its path, and what it takes.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const file = parseJson(bytes);
  if (!compiled.Check(file)) {
    throw new RefusedError(`metadata.json: ${describeErrors(file)}`);
  }
  const features = file.features?.map((feature) =>
    typeof feature === 'string' ? { name: feature, type: 'number' as const } : feature,
  );
  const { features: _, ...rest } = file;
  const manifest: Manifest = features === undefined ? rest : { ...rest, features };
  const faults = [
    ...taskFaults(manifest),
    ...(features ?? []).flatMap((feature, k) => [...featureFaults(feature, k, features ?? [])]),
  ];
  if (faults.length > 0) throw new RefusedError(`metadata.json: ${faults.slice(0, 5).join('; ')}`);
  return manifest;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RefusedError('metadata.json is not valid JSON in UTF-8', { cause });
  }
}

function describeErrors(file: unknown): string {
  const byPath = new Map<string, string>();
  for (const error of compiled.Errors(file)) {
    const message = describeError(error);
    // A union reports every branch at its own path: the deepest says most.
    if (byPath.size < 5 || byPath.has(error.path)) byPath.set(error.path, message);
  }
  return [...byPath].map(([path, message]) => `${path || '/'} ${message}`).join('; ');
}

function describeError(error: ValueError): string {
  const schema: TSchema = error.schema;
  if (error.message === 'Unexpected property') return 'is not a known key';
  if (error.message === 'Expected required property') return 'is required';
  const wanted = Array.isArray(schema['anyOf'])
    ? schema['anyOf']
        .map((option: TSchema) => ('const' in option ? JSON.stringify(option['const']) : option['type']))
        .join(', ')
    : undefined;
  if (wanted !== undefined) return `must be one of: ${wanted}; got ${describeValue(error.value)}`;
  return `${error.message.replace('Expected', 'must be')}, got ${describeValue(error.value)}`;
}

function* taskFaults(manifest: Manifest): Generator<string> {
  const { task, features, inputs, output = {} } = manifest;
  if (manifest.sha256['model.onnx'] === undefined) yield '/sha256/model.onnx is required';
  if (task === 'tensor') {
    for (const key of ['features', 'inputs', 'output'] as const) {
      if (manifest[key] !== undefined) yield `/${key} is not for the task tensor`;
    }
    return;
  }
  if (features === undefined) yield '/features is required for this task';
  const classificationKeys = [
    'label',
    'probabilities',
    'classes',
    'threshold',
    'activation',
    'labelIs',
  ] as const;
  const foreign = task === 'regression' ? classificationKeys : (['value', 'names'] as const);
  for (const key of foreign)
    if (output[key] !== undefined) yield `/output/${key} is not for the task ${task}`;
  if (output.threshold !== undefined && output.classes !== undefined && output.classes.length !== 2) {
    yield '/output/threshold needs exactly two classes';
  }
  const names = new Set(features?.map((feature) => feature.name));
  const used = new Map<string, string>();
  for (const [input, columns] of Object.entries(inputs ?? {})) {
    for (const column of columns) {
      const path = `/inputs/${pointerToken(input)}`;
      if (!names.has(column)) yield `${path} names ${describeValue(column)}, which is not a feature`;
      if (used.has(column))
        yield `${path} names ${describeValue(column)}, which ${used.get(column)} has already`;
      used.set(column, path);
    }
  }
  if (inputs !== undefined) {
    for (const name of names)
      if (!used.has(name)) yield `/inputs leaves out the feature ${describeValue(name)}`;
  }
}

function* featureFaults(feature: Feature, index: number, all: readonly Feature[]): Generator<string> {
  const at = `/features/${index}`;
  const { name, type, minimum, maximum, codes } = feature;
  if (name in Object.prototype) yield `${at}/name must not be ${name}, which every JSON object inherits`;
  if (all.findIndex((other) => other.name === name) !== index)
    yield `${at}/name ${describeValue(name)} stands twice`;
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    yield `${at}/minimum ${minimum} is above the maximum ${maximum}`;
  }
  const isNumeric = type === 'integer' || type === 'number';
  for (const key of isNumeric ? (['enum', 'codes'] as const) : (['minimum', 'maximum'] as const)) {
    if (feature[key] !== undefined) yield `${at}/${key} is not for the type ${type}`;
  }
  if (type === 'boolean' && (feature.enum ?? codes) !== undefined)
    yield `${at}/enum is not for the type boolean`;
  if (codes !== undefined && feature.enum !== undefined) {
    const uncovered = feature.enum.find((value) => !Object.hasOwn(codes, value));
    if (uncovered !== undefined) yield `${at}/codes has no code for ${describeValue(uncovered)}`;
  }
  for (const key of ['default', 'example'] as const) {
    const fault = feature[key] === undefined ? undefined : findValueFault(feature[key], feature);
    if (fault !== undefined) yield `${at}/${key} ${fault}`;
  }
}
