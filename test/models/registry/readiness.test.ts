import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import { findMissing, findMissingModels, findProblem } from '../../../src/models/registry/readiness.js';
import { createRegistry, listed, listing, type Names } from '../../helpers/fake-registry.js';

describe('whether the registry is ready', () => {
  const models = [listed('a', ['1']), listed('b', ['1', '2'], { default: '1' }), listed('c', ['9'])];
  const noneOf = (name: string) => `${name}: No version of ${name} can answer. GET /models/${name} says why.`;

  test.each<[string, string | undefined, Names, string[], string[]]>([
    ['the default model answers', undefined, { default: 'a' }, ['c/9'], []],
    ['the default model does not', undefined, { default: 'c' }, ['c/9'], [noneOf('c')]],
    [
      'the default model is not there',
      undefined,
      { default: 'd' },
      [],
      ['default is an alias of d, which is not there.'],
    ],
    ['no default, and one answers', undefined, {}, ['a/1', 'c/9'], []],
    ['a required one answers', 'a', {}, ['c/9'], []],
    ['an alias is required', 'main', { main: 'a' }, [], []],
    ['a required one does not', 'a,c', {}, ['c/9'], [noneOf('c')]],
    ['blanks do not matter', ' a , b ', {}, ['c/9'], []],
    ['all are required', 'all', {}, ['a/1', 'c/9'], [noneOf('a'), noneOf('c')]],
    ['all are required and answer', 'all', {}, [], []],
    ['a required one is unknown', 'a,x', {}, [], ['"x" is none of the models: a, b, c.']],
    [
      'the default version of a required one is refused, though another is sound',
      'b',
      {},
      ['b/1'],
      [
        'b: The alias default of b names 1, which is refused. GET /models/b says why. ' +
          'Name one in b/aliases.json: {"default":"2"}.',
      ],
    ],
  ])('%s', async (_, required, aliases, refused, wanted) => {
    const { registry, bad } = createRegistry();
    for (const name of refused) bad.set(name, new RefusedError('no'));
    await registry.apply(listing(models, aliases));
    expect(findMissingModels(registry, required)).toEqual(wanted);
  });

  test('not when the configured default is unknown, and the reason names it', async () => {
    const { registry } = createRegistry({ defaultModel: 'x' });
    await registry.apply(listing(models));
    expect(findMissingModels(registry)).toEqual(['"x" is none of the models: a, b, c.']);
  });

  test('never without any model, and never where none can answer', async () => {
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

describe('readiness tells what a person must mend from what passes by itself', () => {
  test('versions without an order are for a person, and the words name the remedy', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['final', 'final2'])]));
    const words =
      'The versions final and final2 of a have no order among their names, so none answers for the model alone. ' +
      'Name one in a/aliases.json: {"default":"final2"}. ' +
      'Or ask for one by its name: POST /models/a/versions/final2/predict.';
    expect(findProblem(registry.find('a'))).toEqual({ reason: words, isLasting: true });
    expect(findMissing(registry)).toEqual([
      { reason: 'no model can answer', isLasting: true },
      { reason: `a: ${words}`, isLasting: true },
    ]);
  });

  test('the remedy keeps the aliases that are there', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['final', 'final2'], { old: 'final' })]));
    expect(findMissingModels(registry)[1]).toContain('{"old":"final","default":"final2"}');
  });

  test('a version that is loading passes', async () => {
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

  test('the first load passes, and says what is left of it', async () => {
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
