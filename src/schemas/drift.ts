import { Type } from '@sinclair/typebox';
import type { LoadedVersion } from '../models/registry/loaded-version.js';
import type { Bin } from '../monitoring/drift/column-report.js';
import { maxColumns } from '../monitoring/drift/drift-column.js';
import type { DriftFindings } from '../monitoring/drift/drift-findings.js';
import { type JudgedColumn, minRows } from '../monitoring/drift/drift-report.js';

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });

const DriftColumnSchema = Type.Object({
  type: Type.String(),
  test: Type.String({
    description:
      '`kolmogorov_smirnov` for numbers, `chi_square` for categories, `missing_rate` if all values are missing',
  }),
  drift: Type.Boolean({
    description: 'Whether the adjusted p-value of the values, or of the missing ones, is below the threshold',
  }),
  because: Type.Optional(
    Type.Array(Type.String(), {
      description: 'What has drifted: `values`, `missing`, or both; left out without drift',
    }),
  ),
  p_value: Share('How likely such a difference, or a larger one, is without drift'),
  adjusted_p_value: Share('The p-value by Benjamini and Hochberg, for the number of tests'),
  statistic: Type.Number({ minimum: 0 }),
  psi: Type.Number({ description: 'The population stability index, with missing values as a bin' }),
  wasserstein: Type.Optional(
    Type.Number({ description: 'How far the values have moved on average, in the unit of the column' }),
  ),
  reference_values: Type.Optional(Count('Of numbers: the values of the reference that the test has')),
  missing_rate: Share('The share of missing values in the window'),
  reference_missing_rate: Share('The share of missing values in the reference'),
  missing_p_value: Type.Optional(
    Share('Whether the two shares may be equal; left out if no value is missing'),
  ),
  adjusted_missing_p_value: Type.Optional(
    Share('The same by Benjamini and Hochberg, for the number of tests'),
  ),
  unseen: Type.Optional(Share('The share of values that the reference does not have')),
  distribution: Type.Optional(
    Type.Object({
      bins: Type.Array(
        Type.Object({
          from: Type.Optional(Type.Number()),
          to: Type.Optional(
            Type.Number({
              description: 'If it equals `from`, the bin has this value alone, and the next one has not',
            }),
          ),
          value: Type.Optional(Type.String()),
        }),
      ),
      reference: Type.Array(Type.Number()),
      current: Type.Array(Type.Number()),
    }),
  ),
});
const Columns = (description: string) =>
  Type.Object({}, { additionalProperties: DriftColumnSchema, description });

export const DriftSchema = Type.Object(
  {
    model: Type.String(),
    model_version: Type.String(),
    status: Type.String({
      description: `\`ok\`, \`collecting\` (less than ${minRows} rows), \`no_reference\`, or \`off\``,
    }),
    reason: Type.Optional(
      Type.String({ description: 'Why there is no comparison, or why it is one of fewer rows' }),
    ),
    missing_workers: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Workers that did not answer in time: their rows are not compared',
      }),
    ),
    threshold: Type.Number(),
    drift: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'Whether any column has drifted; null if nothing was compared',
    }),
    window: Type.Optional(
      Type.Object({
        rows: Type.Integer({ description: 'The rows that were compared' }),
        seen_rows: Count('The rows from which they were drawn'),
        since: Type.String({ format: 'date-time' }),
        until: Type.String({ format: 'date-time' }),
      }),
    ),
    reference: Type.Optional(Type.Object({ rows: Type.Integer() })),
    features: Columns('The features'),
    outputs: Columns('What the model answered'),
    incomparable: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Columns without any value in the window or in the reference',
      }),
    ),
  },
  { $id: 'Drift', description: 'The recent rows of a version against its training data' },
);

/** The parts of the answer that do not depend on rows. */
export function toDriftHead(loaded: LoadedVersion, threshold: number) {
  return {
    model: loaded.name,
    model_version: loaded.version,
    // The caller replaces members, which keep this order.
    status: 'off',
    reason: undefined,
    threshold,
    drift: null,
    window: undefined,
    reference: undefined,
    features: {},
    outputs: {},
  };
}

/** Why a version has nothing to compare. */
export function explainNoReference({ manifest, reference, referenceFault }: LoadedVersion): string {
  if (referenceFault !== undefined) return referenceFault;
  if (manifest.task === 'tensor') return 'Tensors are not compared.';
  if (reference !== undefined) return `reference.json describes none of the first ${maxColumns} columns.`;
  return 'The version has no reference.json: sardonyx profile makes one.';
}

export function toDriftAnswer(
  loaded: LoadedVersion,
  threshold: number,
  { extent, report, missing }: DriftFindings,
  showsBins: boolean,
) {
  const columns = report?.columns ?? [];
  // Bins have values in them.
  const sensitive = new Set(
    loaded.manifest.features?.flatMap((it) => (it.sensitive === true ? [it.name] : [])),
  );
  const mayShow = ({ place, name }: JudgedColumn) => place === 'outputs' || !sensitive.has(name);
  const partOf = (place: JudgedColumn['place']) =>
    Object.fromEntries(
      columns
        .filter((it) => it.place === place)
        .map((it) => [it.name, toColumnAnswer(it, showsBins && mayShow(it))]),
    );
  const reasons = [
    ...(report === undefined ? [explainTooFew(extent?.rows ?? 0, missing)] : []),
    ...(missing > 0 ? [`Workers that did not answer in time: ${missing}. Their rows are not in it.`] : []),
  ];
  const incomparable = report?.incomparable.map(({ name }) => name) ?? [];
  return {
    ...toDriftHead(loaded, threshold),
    status: report === undefined ? 'collecting' : 'ok',
    ...(reasons.length > 0 && { reason: reasons.join(' ') }),
    ...(missing > 0 && { missing_workers: missing }),
    drift: report === undefined ? null : columns.some(({ drifted }) => drifted.length > 0),
    ...(extent !== undefined && {
      window: {
        rows: extent.rows,
        seen_rows: extent.seen,
        since: new Date(extent.since).toISOString(),
        until: new Date(extent.until).toISOString(),
      },
    }),
    reference: { rows: loaded.reference?.rows ?? 0 },
    features: partOf('features'),
    outputs: partOf('outputs'),
    ...(incomparable.length > 0 && { incomparable }),
  };
}

function explainTooFew(rows: number, missing: number): string {
  // Those that did not answer may have rows.
  if (rows === 0) return missing === 0 ? 'No rows have come yet.' : 'The other workers have no rows yet.';
  return `${rows} of at least ${minRows} rows have come.`;
}

/** Also what `sardonyx drift --json` prints. */
export function toColumnAnswer(column: JudgedColumn, showsBins: boolean) {
  const { type, test, drifted, statistic, psi, wasserstein, unseen, bins } = column;
  return {
    ...{ type, test, drift: drifted.length > 0 },
    ...(drifted.length > 0 && { because: drifted }),
    p_value: column.pValue,
    adjusted_p_value: column.adjustedPValue,
    ...{ statistic, psi },
    ...(wasserstein !== undefined && { wasserstein }),
    ...(column.referenceValues !== undefined && { reference_values: column.referenceValues }),
    missing_rate: column.missing,
    reference_missing_rate: column.referenceMissing,
    ...(column.missingPValue !== undefined && { missing_p_value: column.missingPValue }),
    ...(column.adjustedMissingPValue !== undefined && {
      adjusted_missing_p_value: column.adjustedMissingPValue,
    }),
    ...(unseen !== undefined && { unseen }),
    ...(showsBins && { distribution: toDistribution(bins) }),
  };
}

function toDistribution(bins: readonly Bin[]) {
  return {
    bins: bins.map(({ from, to, value }) => (value === undefined ? { from, to } : { value })),
    reference: bins.map(({ reference }) => reference),
    current: bins.map(({ current }) => current),
  };
}
