import { expect, test } from 'vitest';
import { RefusedError } from '../../../src/errors.js';
import { defaultVersion } from '../../../src/models/registry/choose-version.js';
import { createRegistry, listed, listing } from '../../helpers/fake-registry.js';

const started = async () => {
  const registry = createRegistry();
  const letGo = registry.holdLoads();
  const models = [listed('a', ['1', '2'], { stable: '1' }), listed('b', ['1'])];
  const applying = registry.registry.apply(listing(models, { default: 'a' }));
  await new Promise(setImmediate);
  return { ...registry, applying, letGo };
};

test('no version answers before all are loaded or refused, and an unknown name is refused at once', async () => {
  const { registry, applying, letGo } = await started();
  expect(registry.isStarting).toBe(true);
  for (const [model, version] of [[undefined], ['a'], ['a', '1'], ['a', 'stable'], ['a', 'latest'], ['b']]) {
    expect(() => registry.lease(model, version), `${model} ${version}`).toThrow(
      expect.objectContaining({ code: 'not_ready', status: 503, headers: { 'retry-after': '1' } }),
    );
  }
  expect(() => registry.lease('c')).toThrow(expect.objectContaining({ code: 'model_not_found' }));
  expect(() => registry.lease('a', '3')).toThrow(expect.objectContaining({ code: 'version_not_found' }));
  letGo();
  await applying;
  expect(registry.isStarting).toBe(false);
  expect(registry.lease('a').version).toBe('2');
  expect(registry.lease('b').version).toBe('1');
});

test('an older version is not the default while a newer one still loads', async () => {
  const { registry, applying, letGo, events } = await started();
  const seen: unknown[] = [];
  const original = events.push.bind(events);
  events.push = (event) => {
    const { latest, isStarting } = registry.find(event.model);
    seen.push([event.version, latest, isStarting, defaultVersion(registry.find(event.model))]);
    return original(event);
  };
  letGo();
  await applying;
  expect(seen).toEqual([
    ['1', undefined, true, undefined],
    ['2', undefined, true, undefined],
    ['1', undefined, true, undefined],
  ]);
  expect(defaultVersion(registry.find('a'))).toBe('2');
});

test('the detail of a refusal names the versions that are being loaded', async () => {
  const { registry, applying, letGo } = await started();
  expect(() => registry.lease('a')).toThrow('The server is starting. a: versions 1 and 2 are being loaded.');
  letGo();
  await applying;
});

test('a registry in which every version is refused has started', async () => {
  const { registry, bad } = createRegistry();
  bad.set('a/1', new RefusedError('no'));
  await registry.apply(listing([listed('a', ['1'])]));
  expect(registry.isStarting).toBe(false);
  expect(() => registry.lease('a')).toThrow(expect.objectContaining({ code: 'model_unavailable' }));
});

test('a registry that is closed during its start lends nothing', async () => {
  const { registry, applying, letGo } = await started();
  registry.close();
  letGo();
  await applying;
  expect(registry.isStarting).toBe(true);
  expect(() => registry.lease('a')).toThrow(expect.objectContaining({ code: 'not_ready' }));
});
