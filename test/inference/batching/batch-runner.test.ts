import { expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.js';
import { Batcher, type BatcherOptions } from '../../../src/inference/batching/batcher.js';
import { createCall } from '../../../src/inference/batching/call-context.js';
import { RunTimes } from '../../../src/inference/batching/run-times.js';
import { type Executor, RunEndedError } from '../../../src/inference/engine/executor.js';
import type { Tensor } from '../../../src/inference/tensors/tensor.js';

/**
 * A fake for the process of a model (the isolated executor has its own tests): a value below 0 ends it, and a value of
 * 1,000 or more runs until the limit.
 */
function createFragile() {
  const runs: number[][] = [];
  const executor: Executor = {
    kind: 'isolated',
    async run({ X }, _fetches, limitMs) {
      const values = [...((X as Tensor).data as Float64Array)];
      runs.push(values);
      if (values.some((value) => value < 0)) {
        throw new ServiceError('executor_lost', { cause: new RunEndedError('SIGFPE', false) });
      }
      if (values.some((value) => value >= 1_000)) {
        await new Promise((resolve) => setTimeout(resolve, limitMs ?? 2_000));
        throw new ServiceError('deadline_exceeded', { cause: new RunEndedError('SIGKILL', true) });
      }
      return { y: { type: 'float64', dims: [values.length], data: Float64Array.from(values) } };
    },
    close() {},
  };
  return { runs, executor };
}

function createBatcher(executor: Executor, options: Partial<BatcherOptions<number>> = {}) {
  const fatal: (string | undefined)[] = [];
  const batcher = new Batcher<number>({
    executor,
    toRun: (rows) => ({
      feeds: { X: { type: 'float64', dims: [rows.length], data: Float64Array.from(rows) } },
      fetches: ['y'],
    }),
    times: new RunTimes({ rows: 1, ms: 0.01 }),
    maxBatchRows: 64,
    maxBatchDelayMs: 0,
    maxQueueRows: 1_000,
    timeoutMs: 2_000,
    textOf: String,
    onFatal: (requestId, how) => fatal.push(`${requestId} ${how}`),
    ...options,
  });
  const ask = async (x: number) => {
    const call = createCall({ arrivedAt: performance.now(), requestId: `request ${x}` }, 2_000);
    try {
      batcher.admit(call);
      const { outputs, timing } = await batcher.run(x, call);
      return outputs['y']?.data[timing.batchIndex];
    } catch (error) {
      return (error as ServiceError).code;
    }
  };
  return { ask, fatal };
}

const good = Array.from({ length: 40 }, (_unused, k) => k);

test('a row that ends the process fails alone and is reported, at each place among 40 others', async () => {
  for (const place of [0, 17, 40]) {
    const { executor, runs } = createFragile();
    const { ask, fatal } = createBatcher(executor);
    const rows = [...good.slice(0, place), -1, ...good.slice(place)];
    const answers = await Promise.all(rows.map(ask));
    expect(answers).toEqual(rows.map((x) => (x < 0 ? 'executor_lost' : x)));
    expect(fatal).toEqual(['request -1 SIGFPE']);
    expect(runs.filter((run) => run.includes(-1))).toHaveLength(2);
  }
});

test('rows of a slow model are run again in halves, not one by one', async () => {
  const { executor, runs } = createFragile();
  const { ask } = createBatcher(executor, { times: new RunTimes({ rows: 1, ms: 20 }) });
  const rows = [...good.slice(0, 30), -1];
  expect(await Promise.all(rows.map(ask))).toEqual(rows.map((x) => (x < 0 ? 'executor_lost' : x)));
  expect(runs.length).toBeLessThan(13);
});

test('an input that ended two processes is not run a third time, and other inputs are', async () => {
  const { executor, runs } = createFragile();
  const { ask } = createBatcher(executor);
  expect([await ask(-1), await ask(-1), await ask(-1), await ask(-1)]).toEqual([
    'executor_lost',
    'executor_lost',
    'run_failed',
    'run_failed',
  ]);
  expect(runs).toEqual([[-1], [-1]]);
  expect(await ask(-2)).toBe('executor_lost');
  expect(await ask(3)).toBe(3);
});

test('an input that ended a process once runs alone the next time', async () => {
  const { executor, runs } = createFragile();
  const { ask } = createBatcher(executor);
  await ask(-1);
  expect(await Promise.all([1, -1, 2].map(ask))).toEqual([1, 'executor_lost', 2]);
  expect(runs).toEqual([[-1], [1, 2], [-1]]);
});

test('an input is not blamed for a process that an operator kills', async () => {
  const { executor } = createFragile();
  let isKilled = true;
  const { ask } = createBatcher({
    ...executor,
    async run(feeds, fetches, limitMs) {
      if (isKilled) throw new ServiceError('executor_lost', { cause: new RunEndedError('SIGKILL', false) });
      return executor.run(feeds, fetches, limitMs);
    },
  });
  for (let k = 0; k < 3; k += 1) expect(await ask(1)).toBe('executor_lost');
  isKilled = false;
  expect(await ask(1)).toBe(1);
});

test('an endless row fails at its deadline, and 40 rows that shared its run are answered in time', async () => {
  const { executor } = createFragile();
  const { ask } = createBatcher(executor);
  const started = performance.now();
  const endless = ask(1_000);
  expect(await Promise.all(good.map(ask))).toEqual(good);
  expect(performance.now() - started).toBeLessThan(1_900);
  expect(await endless).toBe('deadline_exceeded');
});

test("an executor's own error fails all rows of the run, and nothing is run again", async () => {
  const { ask } = createBatcher({
    kind: 'isolated',
    run: () => Promise.reject(new ServiceError('executor_lost', { retryAfterSeconds: 1 })),
    close() {},
  });
  expect(await Promise.all([1, 2].map(ask))).toEqual(['executor_lost', 'executor_lost']);
});
