import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import { findMissing, findMissingModels, findProblem } from '../../../src/models/registry/readiness.js';
import { createRegistry, listed, listing, type Names } from '../../helpers/fake-registry.js';

describe('whether the registry is ready', () => {
  const models = [listed('a', ['1']), listed('b', ['1', '2'], { default: '1' }), listed('c', ['9'])];
  const noneOf = (name: string) => `${name}: No version of ${name} can answer. GET /models/${name} says why.`;

  test.each<[string, string | undefined, Names, string[], string[]]>([
    ['the default model answers', undefined, { default: 'a' }, ['c/9'], []],
    ['the default model cannot answer', undefined, { default: 'c' }, ['c/9'], [noneOf('c')]],
    [
      'the default model does not exist',
      undefined,
      { default: 'd' },
      [],
      ['default is an alias of d, which is not there.'],
    ],
    ['without a default, one of the models answers', undefined, {}, ['a/1', 'c/9'], []],
    ['a required model answers', 'a', {}, ['c/9'], []],
    ['a required alias leads to a model that answers', 'main', { main: 'a' }, [], []],
    ['a required model cannot answer', 'a,c', {}, ['c/9'], [noneOf('c')]],
    ['blanks around required names are ignored', ' a , b ', {}, ['c/9'], []],
    ['all are required, and two cannot answer', 'all', {}, ['a/1', 'c/9'], [noneOf('a'), noneOf('c')]],
    ['all are required, and all answer', 'all', {}, [], []],
    ['a required model does not exist', 'a,x', {}, [], ['"x" is none of the models: a, b, c.']],
    [
      'the default version of a required model is refused, and another version is ready',
      'b',
      {},
      ['b/1'],
      [
        'b: The alias default of b names 1, which is refused. GET /models/b says why. ' +
          'Set the default in b/aliases.json: {"default":"2"}.',
      ],
    ],
  ])('%s', async (_, required, aliases, refused, wanted) => {
    const { registry, bad } = createRegistry();
    for (const name of refused) bad.set(name, new RefusedError('no'));
    await registry.apply(listing(models, aliases));
    expect(findMissingModels(registry, required)).toEqual(wanted);
  });

  test('a registry whose configured default model is unknown is not ready, and the reason names that model', async () => {
    const { registry } = createRegistry({ defaultModel: 'x' });
    await registry.apply(listing(models));
    expect(findMissingModels(registry)).toEqual(['"x" is none of the models: a, b, c.']);
  });

  test('a registry without models, or without one that can answer, is not ready', async () => {
    const { registry, bad } = createRegistry();
    await registry.apply(listing([]));
    expect(findMissingModels(registry)).toEqual(['no model can answer']);
    expect(findMissingModels(registry, 'all')).toEqual(['no model can answer']);
    bad.set('a/1', new RefusedError('no'));
    await registry.apply(listing([listed('a', ['1'])]));
    for (const required of [undefined, 'a', 'all'])
      expect(findMissingModels(registry, required)).toEqual(['no model can answer', noneOf('a')]);
  });
});

describe('readiness separates lasting reasons from passing ones', () => {
  test('several versions without an order are a lasting reason, and its text names the remedy', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['final', 'final2'])]));
    const words =
      'The versions final and final2 of a have no order among their names, so a has no default version. ' +
      'Set the default in a/aliases.json: {"default":"final2"}. ' +
      'Or request one by its name: POST /models/a/versions/final2/predict.';
    expect(findProblem(registry.find('a'))).toEqual({ reason: words, isLasting: true });
    expect(findMissing(registry)).toEqual([
      { reason: 'no model can answer', isLasting: true },
      { reason: `a: ${words}`, isLasting: true },
    ]);
  });

  test('the remedy keeps the present aliases', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['final', 'final2'], { old: 'final' })]));
    expect(findMissingModels(registry)[1]).toContain('{"old":"final","default":"final2"}');
  });

  test('a version that is loading is a passing reason', async () => {
    const { registry, holdLoads } = createRegistry();
    await registry.apply(listing([]));
    const letGo = holdLoads();
    const applying = registry.apply(listing([listed('a', ['1'])]));
    await new Promise(setImmediate);
    const [summary, detail] = findMissing(registry);
    expect([summary?.isLasting, detail]).toEqual([
      false,
      { reason: 'a: No version of a is ready yet: 1 is being loaded.', isLasting: false },
    ]);
    letGo();
    await applying;
    expect(findMissing(registry)).toEqual([]);
  });

  test('the first load is a passing reason, and names the versions that are left', async () => {
    const { registry, holdLoads } = createRegistry();
    const letGo = holdLoads();
    const names = Array.from({ length: 22 }, (_, k) => `m${k + 10}`);
    const applying = registry.apply(listing(names.map((name) => listed(name, ['1', '2']))));
    await new Promise(setImmediate);
    const missing = findMissing(registry);
    expect(missing.map(({ reason }) => reason)).toEqual([
      ...names.slice(0, 20).map((name) => `${name}: versions 1 and 2 are being loaded`),
      'and 2 more models are being loaded',
    ]);
    expect(missing.some(({ isLasting }) => isLasting)).toBe(false);
    letGo();
    await applying;
    expect(findMissing(registry)).toEqual([]);
  });
});
