import { type Static, Type } from '@sinclair/typebox';
import type { VersionCells } from '../monitoring/feedback/quality-cells.js';
import { type Quality, toQualityInSteps } from '../monitoring/feedback/quality-report.js';
import type { Steps } from '../time/slices.js';

const Scalar = Type.Union([Type.Number(), Type.String(), Type.Boolean()]);
const Ratio = (description: string) => Type.Union([Type.Number(), Type.Null()], { description });

const Classification = {
  accuracy: Ratio('The share of predictions that were right'),
  macro: Type.Union(
    [Type.Object({ precision: Type.Number(), recall: Type.Number(), f1: Type.Number() }), Type.Null()],
    { description: 'Means over the classes that happened or were predicted' },
  ),
  classes: Type.Array(
    Type.Object({
      class: Scalar,
      actual: Type.Integer(),
      predicted: Type.Integer(),
      precision: Ratio('Null if the class was never predicted'),
      recall: Ratio('Null if the class never happened'),
      f1: Type.Number(),
    }),
    { description: 'If the classes of the version are not known, those beyond 1,000 are one: `(other)`' },
  ),
  brier_score: Ratio('The mean squared error of the probabilities; null without probabilities'),
  calibration: Type.Union([
    Type.Object({
      of: Type.Unsafe({
        description: 'The class whose probability is meant; `predicted` with more than two classes',
      }),
      bins: Type.Array(
        Type.Object({
          from: Type.Number(),
          to: Type.Number(),
          count: Type.Integer(),
          predicted: Ratio('The mean of the probabilities'),
          observed: Ratio('The share in which it happened'),
        }),
      ),
    }),
    Type.Null(),
  ]),
  confusion: Type.Union(
    [
      Type.Object({ classes: Type.Array(Scalar), counts: Type.Array(Type.Array(Type.Integer())) }),
      Type.Null(),
    ],
    { description: 'A row for each actual class, a column for each predicted one' },
  ),
};

const Regression = {
  outputs: Type.Array(
    Type.Object({
      output: Type.Optional(Type.String()),
      mae: Ratio('The mean absolute error'),
      rmse: Ratio('The root of the mean squared error'),
      bias: Ratio('The mean of predicted minus actual'),
    }),
  ),
};

export const QualitySchema = Type.Object(
  {
    model: Type.String(),
    window_seconds: Type.Integer({ description: 'The time that the figures cover' }),
    versions: Type.Array(
      Type.Object({
        version: Type.String(),
        feedback: Type.Integer({ description: 'The number of predictions that got feedback' }),
        ...Type.Partial(Type.Object({ ...Classification, ...Regression })).properties,
      }),
    ),
  },
  { $id: 'Quality', description: 'The quality of versions, measured by feedback' },
);

type QualityAnswer = Omit<Static<typeof QualitySchema>, 'versions'> & {
  readonly versions: readonly ({ readonly version: string } & (Quality | { readonly feedback: number }))[];
};

/** Of one version, or of all that have feedback. */
export function* toQualityAnswer(
  model: string,
  windowSeconds: number,
  sums: readonly VersionCells[],
  version?: string,
): Steps<QualityAnswer> {
  const own = sums.filter((it) => it.model === model && (version === undefined || it.version === version));
  const versions = [];
  for (const { version, shape, cells } of own)
    versions.push({ version, ...(yield* toQualityInSteps(shape, cells)) });
  const none = version !== undefined && own.length === 0 ? [{ version, feedback: 0 }] : [];
  return { model, window_seconds: windowSeconds, versions: [...versions, ...none] };
}
