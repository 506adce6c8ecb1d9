import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { messageOf, RefusedError, ServiceError } from '../../errors.js';
import { describeValue, isObject } from '../../text/describe-value.js';
import { describeSchemaErrors } from '../../text/schema-errors.js';
import { parseBoundedJson } from '../manifest/bounded-json.js';
import type { Manifest } from '../manifest/manifest.js';
import type { Answer } from '../tasks/task.js';

const strict = { additionalProperties: false } as const;
/** An answer, or as much of it as is to be compared. Where it was pasted whole, its origin says nothing here. */
const Expected = Type.Object(
  {
    prediction: Type.Optional(Type.Unknown()),
    probability: Type.Optional(Type.Number()),
    probabilities: Type.Optional(
      Type.Unsafe<Record<string, number>>(Type.Object({}, { additionalProperties: Type.Number() })),
    ),
    outputs: Type.Optional(Type.Unsafe<Record<string, unknown>>(Type.Object({}, { minProperties: 1 }))),
    model: Type.Optional(Type.String()),
    model_version: Type.Optional(Type.String()),
    prediction_id: Type.Optional(Type.String()),
  },
  strict,
);

/** `golden.json`: rows, the answers that training saw, and how near is near enough. */
export const GoldenSchema = Type.Object(
  {
    instances: Type.Array(Type.Unknown(), { minItems: 1 }),
    expected: Type.Array(Expected, { minItems: 1 }),
    tolerance: Type.Optional(Type.Number({ minimum: 0 })),
  },
  strict,
);

type Expected = Static<typeof Expected>;
export type Golden = Static<typeof GoldenSchema>;

const compiled = TypeCompiler.Compile(GoldenSchema);
const defaultTolerance = 1e-5;
/** Fifty rows are a good number. A tensor of numbers is cheap; objects are not. */
const bounds = { depth: 64, containers: 500_000, members: 500_000, values: 8_000_000 };
const maxRows = 100_000;
/** As they come from clients under load: together, sharing runs. */
const goldenRowsAtOnce = 32;

/** Parses the bytes of a `golden.json`, within bounds. Throws `RefusedError`. */
export function parseGolden(bytes: Uint8Array): Golden {
  let file: unknown;
  try {
    file = parseBoundedJson(bytes, 'golden.json', bounds);
  } catch (cause) {
    if (cause instanceof RefusedError) throw cause;
    throw new RefusedError('golden.json is not valid JSON in UTF-8', { cause });
  }
  if (!compiled.Check(file)) {
    throw new RefusedError(
      `golden.json: ${describeSchemaErrors(compiled.Errors(file)).slice(0, 5).join('; ')}`,
    );
  }
  if (file.instances.length > maxRows) {
    throw new RefusedError(`golden.json has over ${maxRows.toLocaleString('en')} instances`);
  }
  if (file.instances.length !== file.expected.length) {
    throw new RefusedError(
      `golden.json has ${file.instances.length} instances and ${file.expected.length} expected`,
    );
  }
  const empty = file.expected.findIndex((it) => it.prediction === undefined && it.outputs === undefined);
  if (empty >= 0) throw new RefusedError(`golden.json: /expected/${empty} needs "prediction" or "outputs"`);
  return file;
}

/**
 * Puts every golden row through the same way that a request takes, and compares what the client would see. A number
 * passes within tolerance × max(1, |expected|); everything else must be equal, and so must the class of a
 * classification, number or not. Throws `RefusedError` that names the first rows that fail.
 */
export async function checkGolden(
  golden: Golden,
  task: Manifest['task'],
  answer: (body: unknown) => Promise<Pick<Answer, 'fieldsJson'>>,
): Promise<void> {
  const tolerance = golden.tolerance ?? defaultTolerance;
  const compare = (expected: Expected, { fieldsJson }: Pick<Answer, 'fieldsJson'>): string | undefined => {
    const { prediction, probability, probabilities, outputs } = expected;
    const answered: Expected = JSON.parse(`{${fieldsJson}}`);
    if (task === 'classification' && prediction !== undefined && prediction !== answered.prediction) {
      return `/prediction is ${describeValue(answered.prediction)}, not ${describeValue(prediction)}`;
    }
    return findDifference({ prediction, probability, probabilities, outputs }, answered, tolerance, '');
  };
  const faults: string[] = [];
  let failed = 0;
  let unfit = 0;
  const judge = (index: number): Promise<string | undefined> =>
    answer(golden.instances[index]).then(
      (it) => compare(golden.expected[index] as Expected, it),
      (error: unknown) => {
        if (error instanceof ServiceError && error.code === 'invalid_input') unfit += 1;
        return describeFailure(error);
      },
    );
  for (let from = 0; from < golden.instances.length; from += goldenRowsAtOnce) {
    const to = Math.min(from + goldenRowsAtOnce, golden.instances.length);
    const judged = await Promise.all(Array.from({ length: to - from }, (_unused, k) => judge(from + k)));
    for (const [k, fault] of judged.entries()) {
      if (fault === undefined) continue;
      failed += 1;
      if (faults.length < 3) faults.push(`row ${from + k}: ${fault}`);
    }
  }
  if (failed > 0) {
    const verdict =
      failed === unfit
        ? 'what they hold is no request that this version takes'
        : 'the model does not answer as in training';
    throw new RefusedError(
      `${failed} of ${golden.instances.length} golden rows fail (${faults.join('; ')}): ${verdict}`,
    );
  }
}

/** Where an answer departs from what is expected, in words. What is not expected is not compared. */
function findDifference(
  expected: unknown,
  value: unknown,
  tolerance: number,
  path: string,
): string | undefined {
  if (typeof expected === 'number' && typeof value === 'number') {
    const isNear = Math.abs(expected - value) <= tolerance * Math.max(1, Math.abs(expected));
    return isNear ? undefined : `${path} is ${value}, not ${expected}`;
  }
  if (Array.isArray(expected) && Array.isArray(value)) {
    if (expected.length !== value.length)
      return `${path} has ${value.length} elements, not ${expected.length}`;
    return firstOf(expected, (item, k) => findDifference(item, value[k], tolerance, `${path}/${k}`));
  }
  if (isObject(expected) && isObject(value)) {
    return firstOf(Object.entries(expected), ([key, item]) =>
      item === undefined ? undefined : findDifference(item, value[key], tolerance, `${path}/${key}`),
    );
  }
  return expected === value
    ? undefined
    : `${path} is ${describeValue(value)}, not ${describeValue(expected)}`;
}

function firstOf<T>(
  items: readonly T[],
  find: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}

function describeFailure(error: unknown): string {
  const [problem] = error instanceof ServiceError ? (error.problems ?? []) : [];
  const cause =
    error instanceof ServiceError && error.cause !== undefined ? `: ${messageOf(error.cause)}` : '';
  return `${problem ? `${problem.pointer} ${problem.message}` : messageOf(error)}${cause}`;
}
