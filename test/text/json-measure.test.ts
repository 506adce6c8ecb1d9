import { expect, test } from 'vitest';
import { measureJson } from '../../src/text/json-measure.js';
import { createRandom } from '../helpers/onnx/random.js';

interface Figures {
  depth: number;
  names: number;
  items: number;
}

/** The same figures of a value that was parsed. */
function figuresOf(value: unknown): Figures {
  if (typeof value !== 'object' || value === null) return { depth: 0, names: 0, items: 0 };
  const inside = Object.values(value).map(figuresOf);
  const sum = (of: 'names' | 'items') => inside.reduce((total, it) => total + it[of], 0);
  const commas = Math.max(0, inside.length - 1);
  return {
    depth: 1 + Math.max(0, ...inside.map((it) => it.depth)),
    names: sum('names') + (Array.isArray(value) ? 0 : 1 + inside.length),
    items: sum('items') + commas + (Array.isArray(value) ? 1 : 0),
  };
}

test('a text is measured as it parses, with strings of any length and any escapes', () => {
  const random = createRandom(7);
  const pick = (count: number) => Math.floor(random() * count);
  const text = (): string =>
    Array.from({ length: pick(3) === 0 ? pick(400) : pick(5) }, () =>
      pick(9) === 0 ? ['"', '\\', '\n', '{', '[', ',', ':', 'é', '€'][pick(9)] : 'a',
    ).join('');
  const value = (deep: number): unknown => {
    const kind = pick(deep > 0 ? 5 : 3);
    if (kind === 0) return pick(1_000) / 7;
    if (kind < 3) return text();
    const parts = Array.from({ length: pick(4) }, () => value(deep - 1));
    return kind === 3 ? parts : Object.fromEntries(parts.map((part, k) => [`${k}${text()}`, part]));
  };
  for (let k = 0; k < 3_000; k += 1) {
    const whole = { row: value(4) };
    expect(measureJson(Buffer.from(JSON.stringify(whole)), 32)).toEqual(figuresOf(whole));
  }
});

test.each([
  ['slashes that are escaped', `${'A'.repeat(70)}\\/`],
  ['quotes that are escaped', `${'A'.repeat(70)}\\"`],
  ['nothing but escapes', '\\\\'],
])('a string of 16 MB is measured in one pass, not searched again at each escape: %s', (_name, piece) => {
  const json = Buffer.from(`{"a":"${piece.repeat(16e6 / piece.length)}"}`);
  const started = performance.now();
  expect(measureJson(json, 32)).toEqual({ depth: 1, names: 2, items: 0 });
  // 0.1 s on an idle machine; searched again at each of 220,000 escapes it would be minutes.
  expect(performance.now() - started).toBeLessThan(5_000);
});
