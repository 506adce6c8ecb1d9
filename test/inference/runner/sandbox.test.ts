import { readFileSync } from 'node:fs';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { RunnerPool } from '../../../src/inference/runner/runner-pool.js';
import { Sandboxes, type SandboxOptions } from '../../../src/inference/runner/sandbox.js';
import { linearRegression, opset99, slow } from '../../helpers/onnx-models.js';
import { isAlive } from '../../helpers/processes.js';

const ample = { maxOutputBytes: 1e6, loadTimeoutMs: 20_000 };
const all: { close(): void }[] = [];
afterEach(() => vi.unstubAllEnvs());
afterAll(() => {
  for (const it of all) it.close();
});
function createSandboxes({
  maxMemoryBytes = 4e9,
  ...options
}: Partial<SandboxOptions> & { readonly maxMemoryBytes?: number } = {}): Sandboxes {
  const pool = new RunnerPool(maxMemoryBytes);
  const sandboxes = new Sandboxes({ pool, ...ample, ...options });
  all.push(sandboxes, pool);
  return sandboxes;
}
const column = (...values: number[]) => ({
  X: { type: 'float32' as const, dims: [values.length, 1], data: Float32Array.from(values) },
});

test('one child tries one model after the other, even after a refused model', async () => {
  const sandboxes = createSandboxes();
  const first = await sandboxes.open({
    model: { bytes: linearRegression([2]) },
    threads: 1,
    title: 'sardonyx test',
  });
  expect((await first.run(column(3), ['variable']))['variable']?.data[0]).toBe(6);
  expect(first.openMs).toBeGreaterThan(0);
  expect(first.lastRunMs).toBeGreaterThan(0);
  expect((await first.measure()).residentBytes).toBeGreaterThan(1e7);
  await first.close();
  await expect(
    sandboxes.open({ model: { bytes: opset99() }, threads: 1, title: 'sardonyx test' }),
  ).rejects.toThrow(/Opset 99/);
  const second = await sandboxes.open({
    model: { bytes: linearRegression([5]) },
    threads: 1,
    title: 'sardonyx test',
  });
  expect((await second.run(column(3), ['variable']))['variable']?.data[0]).toBe(15);
  const third = second.adopt();
  await first.close();
  expect(third.isAlive).toBe(true);
  third.kill();
});

test('a child gets the locale variables of its parent, and no secrets', async () => {
  vi.stubEnv('LC_ALL', 'en_US.UTF-8').stubEnv('LOCPATH', '/opt/locales').stubEnv('LANG', 'de_DE.UTF-8');
  vi.stubEnv('API_KEYS', 'secret').stubEnv('LCD', 'no locale');
  const sandboxes = createSandboxes();
  const sandbox = await sandboxes.open({
    model: { bytes: linearRegression([2]) },
    threads: 1,
    title: 'sardonyx test',
  });
  const child = sandbox.adopt();
  const variables = readFileSync(`/proc/${child.pid}/environ`, 'utf8').split('\0');
  child.kill();
  expect(variables).toEqual(
    expect.arrayContaining(['LC_ALL=en_US.UTF-8', 'LOCPATH=/opt/locales', 'LANG=de_DE.UTF-8']),
  );
  expect(variables.filter((it) => it.startsWith('API_KEYS') || it.startsWith('LCD'))).toEqual([]);
});

test('an adopted child lives on when the pool closes, and the next model gets another child', async () => {
  const sandboxes = createSandboxes();
  const kept = (
    await sandboxes.open({ model: { bytes: linearRegression([2]) }, threads: 1, title: 'sardonyx test' })
  ).adopt();
  const next = await sandboxes.open({
    model: { bytes: linearRegression([3]) },
    threads: 1,
    title: 'sardonyx test',
  });
  sandboxes.close();
  await expect(next.run(column(1), ['variable'])).rejects.toThrow(/ended/);
  expect(isAlive(kept.pid as number)).toBe(true);
  kept.kill();
  await kept.ended;
});

test('an endless run is killed, and the error names the limit', async () => {
  const sandboxes = createSandboxes({ loadTimeoutMs: 2_000 });
  const sandbox = await sandboxes.open({ model: { bytes: slow() }, threads: 1, title: 'sardonyx test' });
  await expect(sandbox.run(column(1e9), ['value'])).rejects.toThrow(/more than 2000 ms/);
  await sandbox.close();
  const next = await sandboxes.open({
    model: { bytes: linearRegression([2]) },
    threads: 1,
    title: 'sardonyx test',
  });
  await next.close();
});

test('a run that is killed at a shorter limit names that limit, not the limit of a load', async () => {
  const sandboxes = createSandboxes();
  const sandbox = await sandboxes.open({ model: { bytes: slow() }, threads: 1, title: 'sardonyx test' });
  await expect(sandbox.run(column(1e9), ['value'], 200)).rejects.toThrow(
    /^the engine took more than 200 ms$/,
  );
});

test('a child that takes too much memory ends itself, and the error names the limit', async () => {
  const sandboxes = createSandboxes({ maxMemoryBytes: 1e6 });
  const trying = (async () => {
    const sandbox = await sandboxes.open({ model: { bytes: slow() }, threads: 1, title: 'sardonyx test' });
    await sandbox.run(column(1e9), ['value']);
  })();
  await expect(trying).rejects.toThrow(/MAX_MODEL_MEMORY_MB/);
});

test('the child rejects outputs above the limit', async () => {
  const sandboxes = createSandboxes({ maxOutputBytes: 8 });
  const sandbox = await sandboxes.open({
    model: { bytes: linearRegression([2]) },
    threads: 1,
    title: 'sardonyx test',
  });
  expect((await sandbox.run(column(1, 2), ['variable']))['variable']?.data).toHaveLength(2);
  await expect(sandbox.run(column(1, 2, 3), ['variable'])).rejects.toMatchObject({
    code: 'output_too_large',
  });
});
