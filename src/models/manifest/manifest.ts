import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { modelNamePattern, versionNamePattern } from './names.js';

const strict = { additionalProperties: false } as const;
const Name = Type.String({
  minLength: 1,
  maxLength: 256,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'text without control characters',
});
const Scalar = Type.Union([Type.Number(), Type.String(), Type.Boolean()]);
/** Unlike `Type.Record`, whose pattern lets keys with a line break pass unchecked (typebox 0.34.52). */
const record = <T extends TSchema>(values: T, minProperties = 0) =>
  Type.Unsafe<Record<string, Static<T>>>(Type.Object({}, { additionalProperties: values, minProperties }));

/** As many features as compile in about a second. A graph may have 10,000 inputs. */
export const maxFeatures = 16_384;
/** Of one list, and of all lists of the features together. */
export const maxValues = 100_000;

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
    enum: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: maxValues, uniqueItems: true })),
    codes: Type.Optional(record(Type.Number(), 1)),
    missing: Type.Optional(Scalar),
    sensitive: Type.Optional(Type.Boolean()),
  },
  strict,
);

const Output = Type.Object(
  {
    label: Type.Optional(Name),
    probabilities: Type.Optional(Name),
    classes: Type.Optional(
      Type.Union([
        Type.Array(Type.String(), { minItems: 1, maxItems: maxValues, uniqueItems: true }),
        Type.Array(Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }), {
          minItems: 1,
          maxItems: maxValues,
          uniqueItems: true,
        }),
        Type.Array(Type.Boolean(), { minItems: 1, uniqueItems: true }),
      ]),
    ),
    threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    activation: Type.Optional(Type.Union([Type.Literal('softmax'), Type.Literal('sigmoid')])),
    labelIs: Type.Optional(Type.Union([Type.Literal('position'), Type.Literal('class')])),
    value: Type.Optional(Name),
    leftOut: Type.Optional(Type.Array(Name, { minItems: 1, maxItems: maxFeatures, uniqueItems: true })),
    names: Type.Optional(Type.Array(Name, { minItems: 2, maxItems: maxValues, uniqueItems: true })),
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

/** A `metadata.json`, as written in the file. */
export const ManifestSchema = Type.Object(
  {
    name: Type.String({
      pattern: modelNamePattern.source,
      description: 'up to 64 of the characters a-z 0-9 . _ -, beginning with a letter or digit',
    }),
    version: Type.String({
      pattern: versionNamePattern.source,
      description: 'up to 64 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or digit',
    }),
    timestamp: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    task: Type.Union([Type.Literal('classification'), Type.Literal('regression'), Type.Literal('tensor')]),
    features: Type.Optional(
      Type.Union([
        Type.Array(Feature, { minItems: 1, maxItems: maxFeatures }),
        Type.Array(Name, { minItems: 1, maxItems: maxFeatures }),
      ]),
    ),
    inputs: Type.Optional(record(Type.Array(Name, { minItems: 1 }), 1)),
    output: Type.Optional(Output),
    metrics: Type.Optional(record(Type.Number())),
    training_samples: Type.Optional(Type.Integer({ minimum: 0 })),
    sha256: record(
      Type.String({ pattern: '^[0-9a-f]{64}$', description: '64 hexadecimal digits in lower case' }),
    ),
    runtime: Type.Optional(Runtime),
    allow: Type.Optional(
      Type.Array(Type.Union([Type.Literal('training_mode'), Type.Literal('randomness')]), {
        uniqueItems: true,
        description: 'what a graph is refused for unless it is listed here',
      }),
    ),
  },
  { ...strict, $id: 'Manifest' },
);

export type Feature = Static<typeof Feature>;
export type ManifestFile = Static<typeof ManifestSchema>;
/** A manifest that has passed every check that needs no graph. Its features are objects, never bare names. */
export type Manifest = Omit<ManifestFile, 'features'> & { readonly features?: readonly Feature[] };
