import type { Row } from '../inference/encode.js';
import type { TypedFeature } from './feature-schema.js';
import { categoriesOf, findValueFault, nearestToZero } from './feature-value.js';

/** A row that passes the check: each feature's example, else its default, else a plain value within its bounds. */
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
