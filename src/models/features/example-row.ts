import { categoriesOf, findValueFault, nearestTo, nearestToZero } from '../manifest/feature-value.js';
import type { Row } from './encode.js';
import type { TypedFeature } from './feature-schema.js';

/** A row that the check accepts: each feature's example, else its default, else a plain value within its bounds. */
export function createExampleRow(typed: readonly TypedFeature[]): Row {
  return Object.fromEntries(typed.map((it) => [it.feature.name, exampleOf(it)]));
}

function exampleOf({ feature, type }: TypedFeature): unknown {
  for (const value of [feature.example, feature.default]) {
    if (value !== undefined && findValueFault(value, feature, type) === undefined) return value;
  }
  if (feature.type === 'boolean') return false;
  if (feature.type === 'string') return categoriesOf(feature)?.[0] ?? 'text';
  return nearestToZero(feature, type);
}

/**
 * Further rows that the check accepts, for a model that fails on the example: ones, then small different values, then
 * the middle of each feature's bounds.
 */
export function* createOtherRows(typed: readonly TypedFeature[]): Generator<Row> {
  const rowOf = (numberOf: (it: TypedFeature, k: number) => number, isVaried: boolean): Row =>
    Object.fromEntries(
      typed.map((it, k) => [it.feature.name, otherValueOf(it, isVaried ? k : 0, numberOf(it, k))]),
    );
  yield rowOf(({ feature, type }) => nearestTo(1, feature, type), false);
  yield rowOf(({ feature, type }, k) => nearestTo((k % 5) + 1, feature, type), true);
  yield rowOf(({ feature, type }) => {
    const { minimum = 0, maximum = minimum + 100 } = feature;
    return nearestTo(Math.round((minimum + maximum) / 2), feature, type);
  }, true);
}

function otherValueOf({ feature }: TypedFeature, place: number, number: number): unknown {
  if (feature.type === 'boolean') return place % 2 === 0;
  if (feature.type !== 'string') return number;
  const categories = categoriesOf(feature) ?? ['text', 'some other text'];
  return categories[place % categories.length];
}
