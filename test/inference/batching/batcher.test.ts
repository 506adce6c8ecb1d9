import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.js';
import { Batcher, type BatcherOptions } from '../../../src/inference/batching/batcher.js';
import { type Caller, createCall } from '../../../src/inference/batching/call-context.js';
import { RunTimes } from '../../../src/inference/batching/run-times.js';
import type { Executor } from '../../../src/inference/engine/executor.js';
import type { Tensor, Tensors } from '../../../src/inference/tensors/tensor.js';
import type { Encode, Row } from '../../../src/models/features/encode.js';
import { createRandom } from '../../helpers/onnx/random.js';

/** The values of each run so far, and an executor that echoes X. A row with x below 0 makes the run throw. */
function createEcho(settle: () => Promise<void> = async () => {}) {
  const runs: number[][] = [];
  const executor: Executor = {
    kind: 'inline',
    async run({ X }: Tensors) {
      const values = [...((X as Tensor).data as Float64Array)];
      runs.push(values);
      await settle();
      if (values.some((value) => value < 0)) throw new Error('the engine refuses');
      return { y: { type: 'float64', dims: [values.length], data: Float64Array.from(values) } };
    },
    close() {},
  };
  return { runs, executor };
}

const encode: Encode = (rows: readonly Row[]) => ({
  X: { type: 'float64', dims: [rows.length], data: Float64Array.from(rows, (row) => row['x'] as number) },
});

function createBatcher(executor: Executor, options: Partial<BatcherOptions<Row>> = {}) {
  const batcher = new Batcher({
    executor,
    toRun: (rows) => ({ feeds: encode(rows), fetches: ['y'] }),
    times: new RunTimes({ rows: 1, ms: 0.001 }),
    maxBatchRows: 4,
    maxBatchDelayMs: 0,
    maxQueueRows: 1_000,
    timeoutMs: 1_000,
    ...options,
  });
  const ask = async (x: number, caller: Partial<Caller> = {}) => {
    const call = createCall({ arrivedAt: performance.now(), ...caller }, options.timeoutMs ?? 1_000);
    batcher.admit(call);
    const { outputs, timing } = await batcher.run({ x }, call);
    return { x: outputs['y']?.data[timing.batchIndex], rows: timing.batchRows };
  };
  return { batcher, ask };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

/** A promise that the test opens by hand. */
function createGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

test('rows of one turn of the loop share a run in order, and a lone row has its own run', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor);
  expect(await Promise.all([1, 2, 3].map((x) => ask(x)))).toEqual([1, 2, 3].map((x) => ({ x, rows: 3 })));
  expect(await ask(9)).toEqual({ x: 9, rows: 1 });
  expect(runs).toEqual([[1, 2, 3], [9]]);
});

test('a run never has more than maxBatchRows rows, and the rest follows in order', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor);
  await Promise.all(Array.from({ length: 10 }, (_, x) => ask(x)));
  expect(runs).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
});

test('rows that arrive during a run share the next one', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const { ask, batcher } = createBatcher(executor);
  const first = ask(1);
  await new Promise(setImmediate);
  const others = [ask(2), ask(3)];
  expect(batcher.queuedRows).toBe(2);
  gate.open();
  await Promise.all([first, ...others]);
  expect(runs).toEqual([[1], [2, 3]]);
});

test('a run that throws is split until each failing row is alone', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor, { maxBatchRows: 8 });
  const codes = await Promise.all([1, 2, -3, 4, 5, 6, -7, 8].map((x) => codeOf(ask(x))));
  expect(codes).toEqual(['ok', 'ok', 'run_failed', 'ok', 'ok', 'ok', 'run_failed', 'ok']);
  expect(runs[0]).toHaveLength(8);
  expect(runs.length).toBeLessThanOrEqual(15);
});

test('a row that cannot be encoded fails alone', async () => {
  const { executor } = createEcho();
  const { ask } = createBatcher(executor, {
    toRun: (rows) => {
      if (rows.some((row) => row['x'] === 2)) throw new RangeError('no such number');
      return { feeds: encode(rows), fetches: ['y'] };
    },
  });
  const codes = await Promise.all([1, 2, 3].map((x) => codeOf(ask(x))));
  expect(codes).toEqual(['ok', 'run_failed', 'ok']);
});

test('a row past its deadline is not run, and the rows behind it are', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const { ask } = createBatcher(executor, { timeoutMs: 20 });
  const first = ask(1);
  await new Promise(setImmediate);
  const late = ask(2).catch((error) => error);
  const since = performance.now();
  while (performance.now() - since < 25);
  const inTime = ask(3);
  gate.open();
  expect(await late).toMatchObject({ code: 'deadline_exceeded', headers: { 'retry-after': '1' } });
  expect(await inTime).toEqual({ x: 3, rows: 1 });
  expect(await first).toEqual({ x: 1, rows: 1 });
  expect(runs).toEqual([[1], [3]]);
});

test('a full queue rejects a row at once, and accepts rows again when it has room', async () => {
  const { executor } = createEcho();
  const { ask, batcher } = createBatcher(executor, { maxQueueRows: 2 });
  const codes = await Promise.all([1, 2, 3].map((x) => codeOf(ask(x))));
  expect(codes).toEqual(['ok', 'ok', 'overloaded']);
  expect(batcher.queuedRows).toBe(0);
  expect(await codeOf(ask(4))).toBe('ok');
});

test('a request with more rows than the queue has room for is rejected, and a smaller one is admitted', async () => {
  const gate = createGate();
  const { executor } = createEcho(() => gate.opened);
  const { ask, batcher } = createBatcher(executor, { maxQueueRows: 4 });
  const admit = (rows: number) =>
    codeOf((async () => batcher.admit(createCall({ arrivedAt: performance.now() }, 1_000), rows))());
  expect(await admit(6)).toBe('ok');
  const running = ask(1);
  await new Promise(setImmediate);
  const waiting = [2, 3].map((x) => ask(x));
  expect([await admit(3), await admit(2), await admit(1)]).toEqual(['overloaded', 'ok', 'ok']);
  gate.open();
  await Promise.all([running, ...waiting]);
});

test('with maxBatchDelayMs rows of different turns share a run, and a full batch does not wait', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor, { maxBatchDelayMs: 30 });
  const since = performance.now();
  const first = ask(1);
  await new Promise(setImmediate);
  await Promise.all([first, ask(2)]);
  expect(performance.now() - since).toBeGreaterThanOrEqual(28);
  expect(runs).toEqual([[1, 2]]);

  const full = performance.now();
  await Promise.all([3, 4, 5, 6].map((x) => ask(x)));
  expect(performance.now() - full).toBeLessThan(28);
  expect(runs[1]).toEqual([3, 4, 5, 6]);
});

test('the wait for a run counts towards maxBatchDelayMs', async () => {
  const gate = createGate();
  const { executor } = createEcho(() => gate.opened);
  const { ask } = createBatcher(executor, { maxBatchDelayMs: 60, maxBatchRows: 2 });
  const first = [ask(1), ask(2)];
  await new Promise(setImmediate);
  const third = ask(3);
  const since = performance.now();
  while (performance.now() - since < 70);
  const opened = performance.now();
  gate.open();
  await Promise.all([...first, third]);
  expect(performance.now() - opened).toBeLessThan(50);
});

test('each of 20,000 rows in bursts gets its own answer', async () => {
  const random = createRandom(5);
  const { runs, executor } = createEcho(async () => {
    if (random() < 0.3) await new Promise(setImmediate);
  });
  const { ask, batcher } = createBatcher(executor, {
    maxBatchRows: 16,
    maxQueueRows: 1e6,
    timeoutMs: 60_000,
  });
  const asked: Promise<unknown>[] = [];
  for (let x = 1; x <= 20_000; x += 1) {
    const value = random() < 0.01 ? -x : x;
    asked.push(
      ask(value).then(
        (answer) => expect(answer.x).toBe(value),
        (error) => expect([value < 0, error.code]).toEqual([true, 'run_failed']),
      ),
    );
    if (random() < 0.1) await new Promise(setImmediate);
  }
  await Promise.all(asked);
  expect(batcher.queuedRows).toBe(0);
  expect(Math.max(...runs.map((run) => run.length))).toBe(16);
});

test('short runs follow each other in one turn of the loop, and the loop gets a turn between long runs', async () => {
  const turnsOf = async (runMs: number) => {
    const { executor } = createEcho(async () => {
      const until = performance.now() + runMs;
      while (performance.now() < until);
    });
    const { ask } = createBatcher(executor, { maxBatchRows: 1 });
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    const answers = Promise.all([1, 2, 3, 4, 5, 6].map((x) => ask(x)));
    setImmediate(count);
    await answers;
    isOver = true;
    return turns;
  };
  expect(await turnsOf(0)).toBeLessThan(3);
  expect(await turnsOf(2)).toBeGreaterThanOrEqual(5);
});

test('a request is rejected at once if its limit is below the shortest run, or if the queue is too long', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const times = new RunTimes({ rows: 1, ms: 100 }, { rows: 4, ms: 100 });
  const { ask, batcher } = createBatcher(executor, { times, timeoutMs: 250 });
  expect(await codeOf(ask(1, { timeoutMs: 50 }))).toBe('deadline_exceeded');
  const first = ask(1);
  await new Promise(setImmediate);
  // The current run needs some 100 ms more, and the batch behind it another 100 ms.
  const second = ask(2);
  const refused = await ask(3, { timeoutMs: 150 }).catch((error) => error);
  expect(refused.code).toBe('overloaded');
  expect(refused.headers['retry-after']).toBe('1');
  const more = [3, 4, 5].map((x) => ask(x));
  // The batch is full, and the next one would begin too late.
  expect(await codeOf(ask(6))).toBe('overloaded');
  expect(batcher.queuedRows).toBe(4);
  gate.open();
  await Promise.all([first, second, ...more]);
  expect(runs).toEqual([[1], [2, 3, 4, 5]]);
});

test('the limit counts from the arrival of a request, not from the moment a busy thread read it', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor, { timeoutMs: 100 });
  expect(await codeOf(ask(1, { arrivedAt: performance.now() - 120 }))).toBe('overloaded');
  // The client set this limit and the queue is empty: a retry would not help.
  expect(await codeOf(ask(1, { arrivedAt: performance.now() - 20, timeoutMs: 10 }))).toBe(
    'deadline_exceeded',
  );
  expect(runs).toEqual([]);
});

test('the row of a disconnected client is not run', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const { ask } = createBatcher(executor);
  const first = ask(1);
  await new Promise(setImmediate);
  const connection = { destroyed: false };
  const left = codeOf(ask(2, { connection }));
  const stays = ask(3);
  connection.destroyed = true;
  gate.open();
  expect(await left).toBe('client_closed');
  expect((await stays).rows).toBe(1);
  await first;
  expect(runs).toEqual([[1], [3]]);
});

test('a batch has no more rows than the earliest deadline allows', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  // 1 s for one row, 2 s for two, 3 s for three: even a busy machine delays the rows by less than half a second.
  const times = new RunTimes({ rows: 1, ms: 1_000 }, { rows: 4, ms: 4_000 });
  const { ask } = createBatcher(executor, { times, timeoutMs: 10_000 });
  const answers = [ask(1, { timeoutMs: 2_500 }), ask(2), ask(3), ask(4)];
  gate.open();
  await Promise.all(answers);
  expect(runs.map((run) => run.length)).toEqual([2, 2]);
});

test('outputs that are too large together are computed in smaller runs, and an output too large by itself fails alone', async () => {
  const { executor: echo } = createEcho();
  const executor: Executor = {
    ...echo,
    async run(feeds, fetches) {
      const values = [...((feeds['X'] as Tensor).data as Float64Array)];
      if (values.length > 2 || values.includes(9)) throw new ServiceError('output_too_large');
      return echo.run(feeds, fetches);
    },
  };
  const { ask } = createBatcher(executor);
  expect(await Promise.all([1, 2, 9, 4].map((x) => codeOf(ask(x))))).toEqual([
    'ok',
    'ok',
    'output_too_large',
    'ok',
  ]);
});

test('during a late isolated run each waiting row fails at its own deadline', async () => {
  const gate = createGate();
  const { executor: echo } = createEcho(() => gate.opened);
  const { ask } = createBatcher({ ...echo, kind: 'isolated' });
  const since = performance.now();
  const first = ask(1, { timeoutMs: 30 }).catch((error) => error);
  await new Promise(setImmediate);
  const second = ask(2, { timeoutMs: 60 }).catch((error) => error);
  // The first row's own run is too slow, so a retry would not help. The second row only waited.
  expect(await first).toMatchObject({ code: 'deadline_exceeded', headers: {} });
  expect((await first).headers).not.toHaveProperty('retry-after');
  expect(performance.now() - since).toBeGreaterThanOrEqual(25);
  expect(await second).toMatchObject({ code: 'deadline_exceeded', headers: { 'retry-after': '1' } });
  gate.open();
  expect(await codeOf(ask(3))).toBe('ok');
});

test('a row that will probably be late is not run if rows wait behind it, and is run alone', async () => {
  const { runs, executor } = createEcho();
  const times = new RunTimes({ rows: 1, ms: 1_000 });
  // One run was faster: the row may be in time, but is expected late.
  times.observe({ rows: 1, ms: 1 });
  const { batcher } = createBatcher(executor, { times, maxBatchRows: 1 });
  const ask = (x: number, limitMs: number) =>
    codeOf(batcher.run({ x }, createCall({ arrivedAt: performance.now() }, limitMs)));
  expect(await Promise.all([ask(1, 400), ask(2, 5_000)])).toEqual(['deadline_exceeded', 'ok']);
  expect(await ask(3, 400)).toBe('ok');
  expect(runs).toEqual([[2], [3]]);
});

test('a row is admitted only if it meets its deadline even with a quarter more wait than expected', async () => {
  const gate = createGate();
  const { executor } = createEcho(() => gate.opened);
  const times = new RunTimes({ rows: 1, ms: 1_000 });
  const { ask } = createBatcher(executor, { times, maxBatchRows: 1, timeoutMs: 10_000 });
  const first = ask(1);
  await new Promise(setImmediate);
  // The rest of the current run plus the row's own run: 2 s.
  expect(await codeOf(ask(2, { timeoutMs: 2_200 }))).toBe('overloaded');
  const second = codeOf(ask(3, { timeoutMs: 2_600 }));
  gate.open();
  await first;
  expect(await second).toBe('ok');
});

test('an isolated run begins before the rows of the previous run are resolved', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const { ask } = createBatcher({ ...executor, kind: 'isolated' }, { maxBatchRows: 1 });
  const runsWhenResolved = ask(1).then(() => runs.length);
  await new Promise(setImmediate);
  const second = ask(2);
  gate.open();
  expect(await runsWhenResolved).toBe(2);
  await second;
});

describe.each(['inline', 'isolated'] as const)('a row in the background, %s', (kind) => {
  test('runs only when no other row waits, and shares no run with one', async () => {
    const gate = createGate();
    const { runs, executor } = createEcho(() => gate.opened);
    const { ask } = createBatcher({ ...executor, kind });
    const first = ask(1);
    await new Promise(setImmediate);
    const background = [10, 11, 12, 13, 14].map((x) => ask(x, { isBackground: true }));
    const others = [2, 3, 4, 5, 6].map((x) => ask(x));
    gate.open();
    await Promise.all([first, ...background, ...others]);
    expect(runs).toEqual([[1], [2, 3, 4, 5], [6], [10, 11, 12, 13], [14]]);
  });

  test('goes before the next background run if it arrives in between', async () => {
    const { runs, executor } = createEcho(() => new Promise((resolve) => setTimeout(resolve, 5)));
    const { ask } = createBatcher({ ...executor, kind });
    const background = Array.from({ length: 12 }, (_unused, k) => ask(100 + k, { isBackground: true }));
    await background[0];
    await ask(1);
    await Promise.all(background);
    // An isolated run begins before the rows of the last one are resolved.
    expect(runs.findIndex(([x]) => x === 1)).toBeLessThanOrEqual(2);
    expect(runs).toHaveLength(4);
  });

  test('is admitted beyond the queue, and takes no room of other rows', async () => {
    const gate = createGate();
    const { executor } = createEcho(() => gate.opened);
    const { ask } = createBatcher({ ...executor, kind }, { maxQueueRows: 2 });
    const first = ask(1);
    await new Promise(setImmediate);
    const background = Array.from({ length: 20 }, (_unused, k) => ask(100 + k, { isBackground: true }));
    const others = [ask(2), ask(3)];
    expect(await codeOf(ask(4))).toBe('overloaded');
    gate.open();
    await Promise.all([first, ...background, ...others]);
  });
});
