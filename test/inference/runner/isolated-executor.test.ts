import { describe, expect, test, vi } from 'vitest';
import { IsolatedExecutor, type IsolatedOptions } from '../../../src/inference/runner/isolated-executor.js';
import { RunnerPool } from '../../../src/inference/runner/runner-pool.js';
import type { RunnerProcess } from '../../../src/inference/runner/runner-process.js';
import type { Tensor, TensorData, Tensors } from '../../../src/inference/tensors/tensor.js';
import { startLoopTime } from '../../helpers/loop-time.js';
import { echo, gatherByValue, opset99, slow } from '../../helpers/onnx-models.js';

async function open(model: Uint8Array, options: Partial<IsolatedOptions> = {}) {
  const lost: string[] = [];
  const pool = new RunnerPool(4e9);
  const executor = await IsolatedExecutor.open({
    source: { provide: async () => ({ bytes: model }) },
    threads: 1,
    timeoutMs: 2_000,
    loadTimeoutMs: 20_000,
    maxOutputBytes: 1e8,
    residentBytes: 1e8,
    pool,
    title: 'sardonyx test',
    onLost: (how) => lost.push(how),
    ...options,
  });
  const close = (): void => {
    executor.close();
    pool.close();
  };
  return { executor, lost, [Symbol.dispose]: close };
}

const column = (data: TensorData, type: Tensor['type'] = 'float32'): Tensors => ({
  X: { type, dims: [data.length, 1], data },
});
const count = (value: number) => column(Float32Array.of(value));
const codeOf = (run: Promise<unknown>) =>
  run.then(
    () => 'ok',
    (error: { code?: string; name: string }) => error.code ?? error.name,
  );
const endless = 1e9;

describe('an isolated executor', () => {
  test.each([
    ['float32', Float32Array.of(1.5, Number.NaN)],
    ['float64', Float64Array.of(0.1, -0)],
    ['float16', Uint16Array.of(0x3e00, 0xc000)],
    ['int64', BigInt64Array.of(2n ** 62n, -1n)],
    ['uint8', Uint8Array.of(255, 0)],
    ['bool', Uint8Array.of(1, 0)],
    ['string', ['é', '']],
  ] as const)('returns a tensor of %s unchanged', async (type, data) => {
    using it = await open(echo(type));
    const outputs = await it.executor.run(column(data as TensorData, type), ['variable']);
    expect([...(outputs['variable'] as Tensor).data]).toEqual([...data]);
    expect(outputs['variable']).toMatchObject({ type, dims: [2, 1] });
  });

  test('kills a run at its limit, and a new child answers the next run', async () => {
    using it = await open(slow(), { timeoutMs: 1_000 });
    using time = startLoopTime();
    const late = it.executor.run(count(endless), ['value']);
    const next = it.executor.run(count(1), ['value']);
    expect(await codeOf(late)).toBe('deadline_exceeded');
    expect(time.elapsedMs()).toBeLessThan(1_500);
    expect(await codeOf(next)).toBe('ok');
    expect(it.lost).toEqual(['SIGKILL, for a run of over 1000 ms']);
  });

  test('replaces children without a pause if late runs were killed again and again', async () => {
    using it = await open(slow(), { timeoutMs: 500 });
    for (let k = 0; k < 4; k += 1) {
      expect(await codeOf(it.executor.run(count(endless), ['value']))).toBe('deadline_exceeded');
      expect(await codeOf(it.executor.run(count(1), ['value']))).toBe('ok');
    }
  });

  test('keeps a spare child ready after a late run was killed, and the next run waits for no load', async () => {
    const pool = new RunnerPool(4e9);
    const taken = vi.spyOn(pool, 'take');
    // The executor calls it when a child has its model open.
    const opened = vi.spyOn(pool, 'warm');
    using it = await open(slow(), { timeoutMs: 500, pool });
    opened.mockClear();
    expect(await codeOf(it.executor.run(count(endless), ['value']))).toBe('deadline_exceeded');
    expect(await codeOf(it.executor.run(count(1), ['value']))).toBe('ok');
    for (let k = 0; k < 3; k += 1) {
      // The successor of the first killed child, and a spare child beside each successor.
      await vi.waitUntil(() => opened.mock.calls.length === 2 + k, { timeout: 20_000 });
      const spare = taken.mock.results.at(-1)?.value as RunnerProcess;
      expect(await codeOf(it.executor.run(count(endless), ['value']))).toBe('deadline_exceeded');
      expect(await codeOf(it.executor.run(count(1), ['value']))).toBe('ok');
      expect(it.executor.pid, 'the spare child has answered').toBe(spare.pid);
    }
  });

  test('rejects one run with executor_lost if its child was killed, and answers the next', async () => {
    using it = await open(slow(), { timeoutMs: 20_000 });
    const lost = it.executor.run(count(endless), ['value']);
    const next = it.executor.run(count(1), ['value']);
    setTimeout(() => process.kill(it.executor.pid as number, 'SIGKILL'), 100);
    expect(await codeOf(lost)).toBe('executor_lost');
    expect(await codeOf(next)).toBe('ok');
  });

  test('keeps a run waiting during a short pause between children, and rejects it during a long one', async () => {
    using it = await open(slow(), { timeoutMs: 20_000 });
    const killAndAsk = async () => {
      const before = it.lost.length;
      const run = codeOf(it.executor.run(count(endless), ['value']));
      const kill = setInterval(() => {
        const { pid } = it.executor;
        if (pid !== undefined && isAlive(pid) && it.lost.length === before) process.kill(pid, 'SIGKILL');
      }, 50);
      const code = await run;
      clearInterval(kill);
      return code;
    };
    expect(await killAndAsk()).toBe('executor_lost');
    expect(await codeOf(it.executor.run(count(1), ['value']))).toBe('ok');
    for (let death = 1; death <= 2; death += 1) expect(await killAndAsk()).toBe('executor_lost');
    // The pause after the second end in a row is 100 ms.
    expect(it.executor.fault).toBe(undefined);
    expect(await codeOf(it.executor.run(count(1), ['value']))).toBe('ok');
    for (let death = 1; death <= 5; death += 1) expect(await killAndAsk()).toBe('executor_lost');
    expect(it.executor.fault).toMatch(/ended 5 times in a row/);
    const turn = new Promise((resolve) => setImmediate(() => resolve('a turn of the loop')));
    expect(await Promise.race([codeOf(it.executor.run(count(1), ['value'])), turn])).toBe('executor_lost');
    await expect.poll(() => codeOf(it.executor.run(count(1), ['value'])), { timeout: 15_000 }).toBe('ok');
  });

  test('rejects what the engine refuses, at load and in a run, and keeps the child', async () => {
    await expect(open(opset99())).rejects.toThrow(/Opset 99/);
    using it = await open(gatherByValue());
    expect(await codeOf(it.executor.run(count(77), ['value']))).toBe('EngineError');
    expect(it.lost).toEqual([]);
    expect(await codeOf(it.executor.run(count(1), ['value']))).toBe('ok');
  });

  test('does not block the thread during a run', async () => {
    using it = await open(slow(), { timeoutMs: 1_000 });
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 5);
    await codeOf(it.executor.run(count(endless), ['value']));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(30);
  });

  test('ends its child when it is closed, and rejects waiting runs with executor_lost', async () => {
    const it = await open(slow());
    const { pid } = it.executor;
    const running = codeOf(it.executor.run(count(endless), ['value']));
    const waiting = codeOf(it.executor.run(count(1), ['value']));
    it.executor.close();
    expect([await running, await waiting]).toEqual(['executor_lost', 'executor_lost']);
    await expect.poll(() => isAlive(pid as number), { timeout: 10_000 }).toBe(false);
    expect(it.lost).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
