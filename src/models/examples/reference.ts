import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { RefusedError } from '../../errors.js';
import { describeSchemaErrors } from '../../text/schema-errors.js';
import { parseBoundedJson } from '../manifest/bounded-json.js';
import type { Feature, Manifest } from '../manifest/manifest.js';

const strict = { additionalProperties: false } as const;
const Share = Type.Number({ minimum: 0, maximum: 1 });
/** The most values of a numeric column, and categories of another one. */
export const maxSample = 10_000;
export const maxCategories = 1_000;
/** Sums and products of larger numbers of rows would lose their precision, and then overflow. */
const maxRows = 1e12;
const Rows = (minimum: number) => Type.Integer({ minimum, maximum: maxRows });

const Numbers = Type.Object(
  { missing: Share, sample: Type.Array(Type.Number(), { maxItems: maxSample }) },
  strict,
);
const Counts = Type.Object(
  {
    missing: Share,
    counts: Type.Unsafe<Record<string, number>>(
      Type.Object({}, { additionalProperties: Rows(1), maxProperties: maxCategories }),
    ),
    /** Values of the categories beyond the most frequent ones, which `counts` has. */
    others: Type.Optional(Rows(0)),
  },
  strict,
);
/** `reference.json`: what the columns of the training data looked like, and the answers of the model to them. */
const ReferenceSchema = Type.Object(
  {
    rows: Rows(0),
    features: Type.Object({}),
    output: Type.Optional(Type.Object({})),
  },
  strict,
);

export type ReferenceColumn = Static<typeof Numbers> | Static<typeof Counts>;

export interface Reference {
  readonly rows: number;
  readonly features: Readonly<Record<string, ReferenceColumn>>;
  readonly output?: Readonly<Record<string, ReferenceColumn>> | undefined;
}

const label = 'reference.json';
const compiled = TypeCompiler.Compile(ReferenceSchema);
// Not in one schema: typebox 0.34.52 compiles a union within `additionalProperties` to code that throws.
const compiledColumns = { sample: TypeCompiler.Compile(Numbers), counts: TypeCompiler.Compile(Counts) };
const bounds = { depth: 8, containers: 100_000, members: 2_000_000, values: 4_000_000 };

export function hasNumbers(column: ReferenceColumn): column is Static<typeof Numbers> {
  return 'sample' in column;
}

/** Whether drift compares the values of a feature as numbers; otherwise as categories. */
export function isNumeric({ type, enum: values, codes }: Feature): boolean {
  return (type === 'number' || type === 'integer') && values === undefined && codes === undefined;
}

/** Parses the bytes of a `reference.json` for a version. Throws `RefusedError` with advice. */
export function parseReference(bytes: Uint8Array, { name, features = [] }: Manifest): Reference {
  const reference = readReferenceFile(bytes);
  const known = new Map(features.map((feature) => [feature.name, feature]));
  for (const [column, values] of Object.entries(reference.features)) {
    const feature = known.get(column);
    if (feature === undefined)
      throw new RefusedError(
        `${label}: /features has ${column}, which is no feature of ${name}: is it of another model?`,
      );
    if (isNumeric(feature) !== hasNumbers(values)) {
      const wanted = isNumeric(feature) ? '"sample"' : '"counts"';
      throw new RefusedError(
        `${label}: /features/${column} must have ${wanted}, since it is of type ${feature.type}`,
      );
    }
  }
  return reference;
}

/** Which features of a reference hold numbers. Throws `RefusedError`. */
export function readColumnKinds(bytes: Uint8Array): ReadonlyMap<string, 'number' | 'string'> {
  const { features } = readReferenceFile(bytes);
  return new Map(
    Object.entries(features).map(([name, column]) => [name, hasNumbers(column) ? 'number' : 'string']),
  );
}

function readReferenceFile(bytes: Uint8Array): Reference {
  let file: unknown;
  try {
    file = parseBoundedJson(bytes, label, bounds);
  } catch (cause) {
    if (cause instanceof RefusedError) throw cause;
    throw new RefusedError(`${label} is not valid JSON in UTF-8`, { cause });
  }
  if (!compiled.Check(file))
    throw new RefusedError(`${label}: ${describeSchemaErrors(compiled.Errors(file)).slice(0, 3).join('; ')}`);
  checkColumns(file.features, '/features');
  const output = isColumn(file.output) ? { prediction: file.output } : file.output;
  if (output !== undefined) checkColumns(output, '/output');
  return { ...file, output } as Reference;
}

/** `output` may be the one column of the prediction. */
function isColumn(output: object | undefined): boolean {
  return output !== undefined && 'missing' in output && typeof output.missing === 'number';
}

function checkColumns(columns: object, place: string): void {
  for (const [name, column] of Object.entries(columns)) {
    const isSample = typeof column === 'object' && column !== null && 'sample' in column;
    const check = compiledColumns[isSample ? 'sample' : 'counts'];
    if (check.Check(column)) continue;
    const [fault = 'is wrong'] = describeSchemaErrors(check.Errors(column));
    throw new RefusedError(`${label}: in ${place}/${name}: ${fault}`);
  }
}
