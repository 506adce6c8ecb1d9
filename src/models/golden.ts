import { type Static, Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { messageOf, ServiceError } from '../errors.js';
import { describeValue } from '../inference/text.js';
import { RefusedError } from './manifest.js';
import type { AnswerValue } from './task.js';

const strict = { additionalProperties: false } as const;
const Expected = Type.Union([
  Type.Object({ prediction: Type.Unknown(), probability: Type.Optional(Type.Number()) }, strict),
  Type.Object({ outputs: Type.Record(Type.String(), Type.Unknown()) }, strict),
]);

/** `golden.json`: rows, the answers that training saw, and how near is near enough. */
export const GoldenSchema = Type.Object(
  {
    instances: Type.Array(Type.Unknown(), { minItems: 1 }),
    expected: Type.Array(Expected, { minItems: 1 }),
    tolerance: Type.Optional(Type.Number({ minimum: 0 })),
  },
  strict,
);

export type Golden = Static<typeof GoldenSchema>;

const compiled = TypeCompiler.Compile(GoldenSchema);
const defaultTolerance = 1e-5;

/** Parses the bytes of a `golden.json`. Throws `RefusedError`. */
export function parseGolden(bytes: Uint8Array): Golden {
  let file: unknown;
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RefusedError('golden.json is not valid JSON in UTF-8', { cause });
  }
  if (!compiled.Check(file)) {
    const error = compiled.Errors(file).First();
    throw new RefusedError(
      `golden.json: ${error?.path || '/'} ${error?.message}, got ${describeValue(error?.value)}`,
    );
  }
  if (file.instances.length !== file.expected.length) {
    throw new RefusedError(
      `golden.json has ${file.instances.length} instances and ${file.expected.length} expected`,
    );
  }
  return file;
}

/**
 * Puts every golden row through the same way that a request takes, and compares. A number passes within
 * tolerance × max(1, |expected|); everything else must be equal. Throws `RefusedError` that names the worst rows.
 */
export async function checkGolden(
  golden: Golden,
  answer: (body: unknown) => Promise<{ value: AnswerValue }>,
): Promise<void> {
  const tolerance = golden.tolerance ?? defaultTolerance;
  const faults: string[] = [];
  let failed = 0;
  for (const [index, instance] of golden.instances.entries()) {
    const fault = await answer(instance).then(
      ({ value }) => findDifference(golden.expected[index], value, tolerance, ''),
      (error: unknown) => describeFailure(error),
    );
    if (fault === undefined) continue;
    failed += 1;
    if (faults.length < 3) faults.push(`row ${index}: ${fault}`);
  }
  if (failed > 0) {
    throw new RefusedError(
      `${failed} of ${golden.instances.length} golden rows fail (${faults.join('; ')}): the model does not answer as in training`,
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
      findDifference(item, value[key], tolerance, `${path}/${key}`),
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
  return problem ? `${problem.pointer} ${problem.message}` : `${messageOf(error)}${cause}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
