import { expect, test } from 'vitest';
import { createInlineExecutor } from '../../../src/inference/engine/inline-executor.js';
import { openSession } from '../../../src/inference/engine/session.js';
import { createFakeVersion } from '../../helpers/fake-version.js';
import { linearRegression } from '../../helpers/onnx-models.js';

test('the session is released when the last lease ends, and not before', () => {
  const { loaded, closed } = createFakeVersion('m', '1');
  loaded.lease();
  loaded.lease();
  loaded.retire();
  expect(closed()).toBe(0);
  loaded.release();
  expect(closed()).toBe(0);
  loaded.release();
  expect(closed()).toBe(1);
});

test('a version without leases is released when it retires', () => {
  const { loaded, closed } = createFakeVersion('m', '1');
  loaded.retire();
  expect(closed()).toBe(1);
});

test('a version that is not retired outlives all its leases', () => {
  const { loaded, closed } = createFakeVersion('m', '1');
  loaded.lease().release();
  loaded.lease().release();
  expect(closed()).toBe(0);
});

test('retiring twice releases once, with leases and without', () => {
  const { loaded, closed } = createFakeVersion('m', '1');
  loaded.lease();
  loaded.retire();
  loaded.retire();
  loaded.release();
  loaded.retire();
  expect(closed()).toBe(1);
});

test('a new lease of a retired version keeps the session after the older lease ends', () => {
  const { loaded, closed } = createFakeVersion('m', '1');
  loaded.lease();
  loaded.retire();
  loaded.lease();
  loaded.release();
  expect(closed()).toBe(0);
  loaded.release();
  expect(closed()).toBe(1);
});

test('a version whose session is released refuses a lease', () => {
  const { loaded } = createFakeVersion('m', '1');
  loaded.retire();
  expect(() => loaded.lease()).toThrow('m 1 has retired');
});

test('a run on a released session rejects with an error of the engine', async () => {
  const executor = createInlineExecutor(openSession(linearRegression([1]), 1), 1e6);
  executor.close();
  const feeds = { X: { type: 'float32', dims: [1, 1], data: new Float32Array([1]) } } as const;
  await expect(executor.run(feeds, ['variable'])).rejects.toThrow();
});
