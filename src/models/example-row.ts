import type { Row } from '../inference/encode.js';
import { numberBounds } from '../inference/tensor.js';
import type { TypedFeature } from './feature-schema.js';
import { boundsOf, categoriesOf, findValueFault } from './feature-value.js';

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
  const { integer, minimum, maximum } = boundsOf(feature, type);
  const isOpen = numberBounds(type)?.integer === false;
  const lowest = feature.minimum ?? (isOpen ? -1 : minimum);
  const highest = feature.maximum ?? (isOpen ? 1 : maximum);
  const value = Math.min(Math.max(0, lowest), highest);
  return integer ? Math.ceil(value) : value;
}
