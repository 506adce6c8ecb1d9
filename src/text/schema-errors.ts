import type { TSchema } from '@sinclair/typebox';
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors';
import { describeValue } from './describe-value.js';
import { didYouMean, nearestNames } from './did-you-mean.js';

/**
 * Describes TypeBox errors, one line for each wrong key: its path, what it takes and what it got. For a union, only the
 * branch that fits best is described. `showsValues: false` leaves out values that may be secret.
 */
export function describeSchemaErrors(
  errors: Iterable<ValueError>,
  { showsValues = true } = {},
): readonly string[] {
  const byPath = new Map<string, string>();
  for (const error of collect(errors)) {
    // The first error at a path is the most useful one: absence comes before type, and type before bounds.
    if (!byPath.has(error.path))
      byPath.set(error.path, `${error.path || '/'} ${describe(error, showsValues)}`);
  }
  return [...byPath.values()];
}

/** A large file may have a million errors. */
const maxErrors = 1_000;

function collect(errors: Iterable<ValueError>): readonly ValueError[] {
  return take(errors).flatMap((error) => {
    if (error.type !== ValueErrorType.Union) return [error];
    const isSimple = branchesOf(error.schema).every((branch) => branch['type'] !== 'array');
    return isSimple ? [error] : nearestBranch(error);
  });
}

function take(errors: Iterable<ValueError>): readonly ValueError[] {
  const taken: ValueError[] = [];
  for (const error of errors) {
    taken.push(error);
    if (taken.length === maxErrors) break;
  }
  return taken;
}

const typeErrors: readonly ValueErrorType[] = [
  ValueErrorType.Object,
  ValueErrorType.String,
  ValueErrorType.Integer,
  ValueErrorType.Boolean,
];

function nearestBranch({ path, errors }: ValueError): readonly ValueError[] {
  const depthOf = (error: ValueError) => error.path.split('/').length;
  const elements = path.split('/').length + 1;
  const branches = errors.map((branch) => {
    const found = collect(branch);
    const wrong = found.filter((it) => typeErrors.includes(it.type) && depthOf(it) === elements);
    return { found, wrong: wrong.length };
  });
  const [nearest] = branches.sort((a, b) => a.wrong - b.wrong);
  return nearest?.found ?? [];
}

function describe(error: ValueError, showsValues: boolean): string {
  const { schema, type, value } = error;
  const got = showsValues ? `, got ${describeValue(value)}` : '';
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return 'is required';
    case ValueErrorType.ObjectAdditionalProperties:
      return `is not a known key${suggest(error)}`;
    case ValueErrorType.Union:
      return `must be ${wordsOf(schema)}${got}`;
    case ValueErrorType.StringPattern:
      return `must be ${schema['description'] ?? `of the form ${schema['pattern']}`}${got}`;
    case ValueErrorType.StringMinLength:
    case ValueErrorType.ObjectMinProperties:
      return 'must not be empty';
    case ValueErrorType.StringMaxLength:
      return `must be at most ${schema['maxLength']} characters long`;
    case ValueErrorType.ArrayMinItems:
      return schema['minItems'] === 1
        ? 'must not be empty'
        : `must have at least ${schema['minItems']} elements`;
    case ValueErrorType.ArrayMaxItems:
      return `must have at most ${schema['maxItems']} elements`;
    case ValueErrorType.ArrayUniqueItems:
      return 'must not hold the same element twice';
    case ValueErrorType.NumberMinimum:
    case ValueErrorType.IntegerMinimum:
      return `must be at least ${schema['minimum']}${got}`;
    case ValueErrorType.NumberMaximum:
    case ValueErrorType.IntegerMaximum:
      return `must be at most ${schema['maximum']}${got}`;
    default:
      return `must be ${wordsOf(schema)}${got}`;
  }
}

const typeWords: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  null: 'null',
};

function wordsOf(schema: TSchema): string {
  const branches = branchesOf(schema);
  if (branches.length > 0) return branches.map(wordsOf).join(' or ');
  if ('const' in schema) return describeValue(schema['const']);
  return typeWords[schema['type']] ?? String(schema['type']);
}

function branchesOf(schema: TSchema): readonly TSchema[] {
  return schema['anyOf'] ?? [];
}

function suggest({ path, schema }: ValueError): string {
  const key = path.slice(path.lastIndexOf('/') + 1);
  const known = Object.keys(schema['properties'] ?? {});
  const nearest = nearestNames(key, known, 2);
  if (nearest.length > 0) return didYouMean(nearest);
  return known.length > 0 && known.length <= 8 ? `; known are ${known.join(', ')}` : '';
}
