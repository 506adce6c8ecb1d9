import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import type { Listing } from '../../../src/models/registry/directory.js';
import { findMissingModels } from '../../../src/models/registry/readiness.js';
import {
  answerOf,
  broken,
  createRegistry,
  listed,
  listing,
  type Names,
  statesOf,
} from '../../helpers/fake-registry.js';

describe('applying another listing', () => {
  test('keeps loaded versions, loads new ones and retries refused ones', async () => {
    const { registry, bad, loads } = createRegistry();
    bad.set('a/2', new RefusedError('not yet'));
    await registry.apply(listing([listed('a', ['1', '2'])]));
    const kept = registry.lease('a', '1');
    bad.clear();
    loads.length = 0;
    await registry.apply(listing([listed('a', ['1', '2', '3']), listed('b', ['1'])]));
    expect(loads).toEqual(['a/2', 'a/3', 'b/1']);
    expect(registry.lease('a', '1')).toBe(kept);
    expect(answerOf(registry, 'a')).toBe('a/3');
    expect(registry.list().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('retires a removed version when its last lease ends', async () => {
    const { registry, fakes } = createRegistry();
    await registry.apply(listing([listed('a', ['1', '2']), listed('b', ['1'])]));
    const lent = registry.lease('a', '2');
    await registry.apply(listing([listed('a', ['1'])]));
    expect(answerOf(registry, 'a')).toBe('a/1');
    expect(answerOf(registry, 'a', '2')).toBe('version_not_found');
    expect(answerOf(registry, 'b')).toBe('model_not_found');
    expect(fakes.get('b/1')?.closed()).toBe(1);
    expect(fakes.get('a/2')?.closed()).toBe(0);
    lent.release();
    expect(fakes.get('a/2')?.closed()).toBe(1);
    expect(fakes.get('a/1')?.closed()).toBe(0);
  });

  test('the old version answers until the new one is ready, with and without an alias', async () => {
    const { registry, holdLoads, fakes } = createRegistry();
    await registry.apply(listing([listed('a', ['1'], { default: '1' })]));
    const letGo = holdLoads();
    const applying = registry.apply(listing([listed('a', ['2'], { default: '2' })]));
    await new Promise(setImmediate);
    for (const version of [undefined, 'latest', 'default', '1']) {
      expect(answerOf(registry, 'a', version)).toBe('a/1');
    }
    letGo();
    await applying;
    for (const version of [undefined, 'latest', 'default', '2']) {
      expect(answerOf(registry, 'a', version)).toBe('a/2');
    }
    expect(answerOf(registry, 'a', '1')).toBe('version_not_found');
    expect(fakes.get('a/1')?.closed()).toBe(1);
  });

  test('a removed version does not conflict with the order of its replacements', async () => {
    const { registry, holdLoads } = createRegistry();
    await registry.apply(listing([listed('a', ['1', '2'])]));
    const letGo = holdLoads();
    const applying = registry.apply(listing([listed('a', ['1.0.0', '2.0.0'])]));
    await new Promise(setImmediate);
    expect(answerOf(registry, 'a')).toBe('a/2');
    letGo();
    await applying;
    expect(answerOf(registry, 'a')).toBe('a/2.0.0');
    expect(statesOf(registry, 'a')).toEqual({ '1.0.0': 'ready', '2.0.0': 'ready' });
  });

  test('a loaded version keeps answering beside a new version that has no order with it', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['1', '2'])]));
    await registry.apply(listing([listed('a', ['01', '1', '1.0.0', '2'])]));
    expect(statesOf(registry, 'a')).toEqual({ '01': 'refused', 1: 'ready', '1.0.0': 'refused', 2: 'ready' });
    expect(answerOf(registry, 'a')).toBe('a/2');
  });

  test('a loaded version without an order keeps answering beside a new version without an order', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['final'])]));
    await registry.apply(listing([listed('a', ['best', 'final'])]));
    await registry.apply(listing([listed('a', ['best', 'final'])]));
    expect(answerOf(registry, 'a')).toBe('a/final');
    await registry.apply(listing([listed('a', ['best', 'other'])]));
    expect(answerOf(registry, 'a')).toBe('model_unavailable');
    await registry.apply(listing([listed('a', ['best'])]));
    expect(answerOf(registry, 'a')).toBe('a/best');
  });

  test('two versions without an order that appear together have no default, in any order of loading', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['best', 'final'])]));
    expect(answerOf(registry, 'a')).toBe('model_unavailable');
  });

  test('a broken aliases.json leaves the last good aliases in force, and its problem is reported', async () => {
    const { registry } = createRegistry();
    const models = (aliases: Names | 'broken') => [listed('a', ['1', '2'], aliases), listed('b', ['1'])];
    await registry.apply(listing(models({ default: '1' }), { default: 'b' }));
    await registry.apply(listing(models('broken'), 'broken'));
    await registry.apply(listing(models('broken'), 'broken'));
    expect(answerOf(registry, 'a')).toBe('a/1');
    expect(answerOf(registry)).toBe('b/1');
    expect(registry.find('a').aliasProblem).toBe(broken.problem);
    expect(registry.aliasProblem).toBe(broken.problem);
    await registry.apply(listing(models({}), {}));
    expect(answerOf(registry, 'a')).toBe('a/2');
    expect(answerOf(registry)).toBe('model_not_found');
    expect(registry.find('a').aliasProblem).toBeUndefined();
    expect(registry.aliasProblem).toBeUndefined();
  });

  test('a model whose aliases.json was never sound has no default version until the file is fixed', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['1', '2'], 'broken')]));
    await registry.apply(listing([listed('a', ['1', '2'], 'broken')]));
    expect(answerOf(registry, 'a')).toBe('model_unavailable');
    expect(answerOf(registry)).toBe('model_unavailable');
    expect(answerOf(registry, 'a', 'default')).toBe('model_unavailable');
    expect(answerOf(registry, 'a', '1')).toBe('a/1');
    expect(answerOf(registry, 'a', 'latest')).toBe('a/2');
    expect(findMissingModels(registry)).toContain(
      'a: The default version of a is unknown: a/aliases.json: is not valid JSON in UTF-8. ' +
        'Fix the file, or request a version by its name: POST /models/a/versions/1/predict.',
    );
    await registry.apply(listing([listed('a', ['1', '2'], { default: '1' })]));
    expect(answerOf(registry, 'a')).toBe('a/1');
  });

  test('a broken aliases.json of the registry leaves several models without a default model', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['1']), listed('b', ['1'])], 'broken'));
    expect(answerOf(registry)).toBe('model_unavailable');
    expect(findMissingModels(registry)).toHaveLength(1);
    expect(answerOf(registry, 'champion')).toBe('model_unavailable');
    expect(answerOf(registry, 'a')).toBe('a/1');
  });

  test('a model whose folder cannot be read is not removed', async () => {
    const { registry } = createRegistry();
    await registry.apply(listing([listed('a', ['1'], { default: '1' })]));
    await registry.apply(listing([{ ...listed('a', []), isReadable: false }]));
    expect(answerOf(registry, 'a', 'default')).toBe('a/1');
  });

  test('listings are applied one after the other, and a listing that fails does not stop the next', async () => {
    const { registry, loads, holdLoads } = createRegistry();
    const letGo = holdLoads();
    const first = registry.apply(listing([listed('a', ['1'])]));
    const second = registry.apply(listing([listed('a', ['1', '2'])]));
    const wrong = registry.apply({} as Listing);
    const third = registry.apply(listing([listed('a', ['2'])]));
    letGo();
    await Promise.all([first, second, third, expect(wrong).rejects.toThrow()]);
    expect(loads).toEqual(['a/1', 'a/2']);
    expect(statesOf(registry, 'a')).toEqual({ 2: 'ready' });
  });
});

describe('closing', () => {
  test('retires every version, and waits for leases', async () => {
    const { registry, fakes } = createRegistry();
    await registry.apply(listing([listed('a', ['1', '2'])]));
    const lent = registry.lease('a', '1');
    registry.close();
    registry.close();
    expect([fakes.get('a/1')?.closed(), fakes.get('a/2')?.closed()]).toEqual([0, 1]);
    lent.release();
    expect(fakes.get('a/1')?.closed()).toBe(1);
  });

  test('releases the version that is still loading, and loads no other', async () => {
    const { registry, fakes, loads, holdLoads } = createRegistry();
    const letGo = holdLoads();
    const applying = registry.apply(listing([listed('a', ['1', '2']), listed('b', ['1'])]));
    await new Promise(setImmediate);
    registry.close();
    letGo();
    await applying;
    expect(loads).toEqual(['a/1']);
    expect(fakes.get('a/1')?.closed()).toBe(1);
  });
});
