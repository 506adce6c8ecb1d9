import { describe, expect, test } from 'vitest';
import { nameAll } from '../../../src/schemas/openapi/operation-ids.js';

const namesOf = (keys: readonly string[], taken?: readonly string[]) => [...nameAll(keys, taken)];

describe('the names of models in operation ids', () => {
  test.each([
    ['credit-risk', 'CreditRisk'],
    ['churn', 'Churn'],
    ['resnet-50', 'Resnet_50'],
    ['a.b_c-d', 'ABCD'],
    ['1.0.0', '1_0_0'],
    ['20261101_090000', '20261101_090000'],
    ['_', ''],
  ])('the key %s gets the name "%s"', (key, expected) => {
    expect(nameAll([key]).get(key)).toBe(expected);
  });

  test('names stay distinct without case and separators, and the plain key keeps its name', () => {
    const keys = [
      'credit-risk',
      'credit_risk',
      'credit.risk',
      'creditrisk',
      'resnet-50',
      'resnet50',
      'a-',
      'a',
    ];
    const names = nameAll(keys);
    const comparable = [...names.values()].map((name) => name.replace(/[^A-Za-z0-9]/g, '').toLowerCase());
    expect(new Set(comparable).size).toBe(keys.length);
    expect(names.get('credit-risk')).toBe('CreditRisk');
    expect(names.get('credit_risk')).toMatch(/^CreditRiskX[0-9a-f]{6}$/);
  });

  test('a name that is taken is not used again', () => {
    expect(namesOf(['with-model'], ['WithModel'])).toEqual([
      ['with-model', expect.stringMatching(/^WithModelX[0-9a-f]{6}$/)],
    ]);
  });

  test('a name depends only on the keys that collide with its own', () => {
    const names = nameAll(['b_b', 'b-b', 'a']);
    const reversed = nameAll(['z', 'b-b', 'b_b']);
    for (const key of ['b_b', 'b-b']) expect(names.get(key)).toBe(reversed.get(key));
  });
});
