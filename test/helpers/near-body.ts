import type { TypedFeature } from '../../src/models/features/feature-schema.js';
import { boundsOf, categoriesOf } from '../../src/models/manifest/feature-value.js';

/** Values just inside and just outside the limits of features. */
export const oddValues: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    '',
    '1',
    'Infinity',
    '0x10',
    'north',
    'a\0',
    '\ud800',
    'é🙂',
    'line\nbreak',
    'a\\b',
    'only',
  ],
  ...[[], [1], {}, { f: 1 }, 0, -0, 1, -1, 0.5, 1.5, 18, 100, 100.5, 127, 128, 255, 256, -128, -129],
  ...[
    2 ** 31,
    2 ** 31 - 1,
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 53 - 1,
    2 ** 53,
    -(2 ** 53),
    2 ** 63,
    65_519,
    65_520,
  ],
  ...[
    3.4028235677973366e38,
    3.4028235677973362e38,
    -3.4028235677973366e38,
    1e39,
    1e300,
    Number.MAX_VALUE,
    5e-324,
  ],
  Number.POSITIVE_INFINITY,
];

/** A random body for the features: often valid, else with a wrong value, a wrong name, or a wrong form. */
export function createNearBody(random: () => number, features: readonly TypedFeature[]): unknown {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  if (random() < 0.02) return pick(oddValues);
  const body: Record<string, unknown> = {};
  const mayErr = random() < 0.6;
  for (const it of features) {
    const chance = random();
    const isOptional = it.feature.nullable || it.feature.default !== undefined;
    if (isOptional ? chance < 0.2 : mayErr && chance < 0.01) continue;
    body[it.feature.name] = mayErr && random() < 0.06 ? pick(oddValues) : createSound(it, random, pick);
  }
  if (mayErr && random() < 0.1) body[pick(['extra', 'F1', '__proto__', 'toString', 'f1 '])] = 1;
  return body;
}

function createSound(
  { feature, type }: TypedFeature,
  random: () => number,
  pick: <T>(items: readonly T[]) => T,
): unknown {
  if (feature.nullable && random() < 0.2) return null;
  if (feature.type === 'boolean') return random() < 0.5;
  if (feature.type === 'string') return pick(categoriesOf(feature) ?? ['', 'text', 'é🙂']);
  const { integer, minimum, maximum } = boundsOf(feature, type);
  const lowest = Math.max(minimum, -1_000);
  const highest = Math.min(maximum, 1_000);
  const value = lowest + random() * (highest - lowest);
  return integer ? Math.min(Math.ceil(value), Math.floor(highest)) : value;
}
