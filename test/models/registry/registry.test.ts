import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import type { ListedModel } from '../../../src/models/registry/directory.js';
import {
  answerOf,
  createRegistry,
  listed,
  listing,
  type Names,
  statesOf,
} from '../../helpers/fake-registry.js';

describe('a broken version affects no other version', () => {
  test('the other versions answer, and the broken one has a reason', async () => {
    const { registry, bad, events } = createRegistry();
    bad.set('a/2', new RefusedError('model.onnx is empty'));
    await registry.apply(listing([listed('a', ['1', '2']), listed('b', ['1'])]));
    expect(statesOf(registry, 'a')).toEqual({ 1: 'ready', 2: 'refused' });
    expect(registry.find('a').versions.get('2')).toEqual({ state: 'refused', reason: 'model.onnx is empty' });
    expect(answerOf(registry, 'a')).toBe('a/1');
    expect(answerOf(registry, 'a', '2')).toBe('model_unavailable');
    expect(answerOf(registry, 'b')).toBe('b/1');
    expect(events.map(({ version, outcome }) => `${version} ${outcome.state}`)).toEqual([
      '1 ready',
      '2 refused',
      '1 ready',
    ]);
  });

  test('an unexpected error shows only its code, and the event for the log has it whole', async () => {
    const { registry, bad, events } = createRegistry();
    const error = Object.assign(new Error("EIO: read '/secret/a/1/model.onnx'"), { code: 'EIO' });
    bad.set('a/1', error);
    await registry.apply(listing([listed('a', ['1'])]));
    const reason = "could not be loaded (EIO): see the server's log";
    expect(registry.find('a').versions.get('1')).toEqual({ state: 'refused', reason });
    expect(events[0]?.error).toBe(error);
  });

  test('a model without a ready version exists and cannot answer', async () => {
    const { registry, bad } = createRegistry();
    bad.set('a/1', new RefusedError('no'));
    await registry.apply(listing([listed('a', ['1']), listed('empty', [])]));
    for (const model of ['a', 'empty']) expect(answerOf(registry, model)).toBe('model_unavailable');
    expect(answerOf(registry, 'a', '9')).toBe('version_not_found');
    expect(answerOf(registry, 'c')).toBe('model_not_found');
  });

  test('versions without a common order are refused without being opened', async () => {
    const { registry, loads } = createRegistry();
    await registry.apply(listing([listed('a', ['01', '1', '2', 'v-final'])]));
    expect(loads).toEqual(['a/2', 'a/v-final']);
    const { versions } = registry.find('a');
    for (const name of ['1', '01'])
      expect(versions.get(name)).toEqual({
        state: 'refused',
        reason: '01 and 1 compare as equal: keep one of them',
      });
    expect(answerOf(registry, 'a')).toBe('a/2');
  });
});

describe('which model plain /predict means', () => {
  const two = [listed('a', ['1']), listed('b', ['1'])];
  test.each<[string, { defaultModel?: string }, ListedModel[], Names, string]>([
    ['the only one', {}, [listed('a', ['1'])], {}, 'a/1'],
    ['none of several', {}, two, {}, 'model_not_found'],
    ['none without models', {}, [], {}, 'model_not_found'],
    ['the alias default', {}, two, { default: 'b' }, 'b/1'],
    ['the configured model before the alias', { defaultModel: 'a' }, two, { default: 'b' }, 'a/1'],
    ['the configured alias', { defaultModel: 'main' }, two, { main: 'b' }, 'b/1'],
    [
      'no other than the configured model',
      { defaultModel: 'c' },
      [listed('a', ['1'])],
      {},
      'model_not_found',
    ],
    ['no other than the alias names', {}, [listed('a', ['1'])], { default: 'c' }, 'model_unavailable'],
  ])('%s', async (_, options, models, aliases, wanted) => {
    const { registry } = createRegistry(options);
    await registry.apply(listing(models, aliases));
    expect(answerOf(registry)).toBe(wanted);
  });
});

test('an alias of the registry is a second name of a model; an alias without its model is unavailable, not unknown', async () => {
  const { registry } = createRegistry();
  await registry.apply(listing([listed('a', ['1'])], { main: 'a', gone: 'b', chain: 'main' }));
  expect(answerOf(registry, 'main', '1')).toBe('a/1');
  expect(answerOf(registry, 'gone')).toBe('model_unavailable');
  expect(answerOf(registry, 'chain')).toBe('model_unavailable');
  expect(answerOf(registry, 'never')).toBe('model_not_found');
  expect(answerOf(registry, '__proto__')).toBe('model_not_found');
});
