import { expect, test } from 'vitest';
import { createSearchBudget, nearestNames } from '../../src/text/did-you-mean.js';
import { createRandom } from '../helpers/onnx/random.js';

test.each([
  ['incme', ['income', 'age'], ['income']],
  ['INCOME', ['income'], ['income']],
  ['x', ['y', 'z', 'long'], ['y', 'z']],
  ['', ['a'], ['a']],
  ['credit_scor', ['credit_score', 'credit_scores', 'debit'], ['credit_score', 'credit_scores']],
  ['abc', ['xyz'], []],
  ['a'.repeat(65), ['a'.repeat(65)], []],
])('for "%s" among %j the suggestions are %j', (name, known, meant) => {
  expect(nearestNames(name, known, 3)).toEqual(meant);
});

/** The full table of the paper, as an independent check. */
function levenshtein(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, k) => i + k),
  );
  for (let i = 1; i <= a.length; i += 1) {
    for (let k = 1; k <= b.length; k += 1) {
      const at = (y: number, x: number) => (table[y] as number[])[x] as number;
      (table[i] as number[])[k] = Math.min(
        at(i - 1, k) + 1,
        at(i, k - 1) + 1,
        at(i - 1, k - 1) + (a[i - 1] === b[k - 1] ? 0 : 1),
      );
    }
  }
  return (table[a.length] as number[])[b.length] as number;
}

test('the nearest names are those that the full table gives', () => {
  const random = createRandom(7);
  const word = () =>
    Array.from({ length: 1 + Math.floor(random() * 24) }, () => 'abc'[Math.floor(random() * 3)]).join('');
  let found = 0;
  for (let n = 0; n < 400; n += 1) {
    const name = word();
    const known = Array.from({ length: 30 }, word);
    const limit = Math.min(8, Math.max(1, Math.floor(name.length / 3)));
    const expected = known
      .map((it) => ({ it, distance: levenshtein(name, it) }))
      .filter(({ distance }) => distance <= limit)
      .sort((a, b) => a.distance - b.distance)
      .slice(0, 3)
      .map(({ it }) => it);
    found += expected.length;
    expect(nearestNames(name, known, 3), `${name} of ${known}`).toEqual(expected);
  }
  expect(found).toBeGreaterThan(100);
});

test('a search that uses up its budget ends without suggestions', () => {
  const known = Array.from({ length: 1_000 }, (_, k) => `${'a'.repeat(30)}${k}${'b'.repeat(30)}`);
  const budget = createSearchBudget();
  const before = budget.cells;
  const meant = Array.from({ length: 25 }, () =>
    nearestNames(`z${'a'.repeat(29)}xyz${'b'.repeat(29)}z`, known, 3, undefined, budget),
  );
  expect(meant[0]).not.toEqual([]);
  expect(meant.at(-1)).toEqual([]);
  expect(before - budget.cells).toBeLessThan(before + 5_000);
});
