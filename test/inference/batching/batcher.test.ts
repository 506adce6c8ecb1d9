import { expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.js';
import { Batcher, type BatcherOptions } from '../../../src/inference/batching/batcher.js';
import { type Caller, createCall } from '../../../src/inference/batching/call-context.js';
import { RunTimes } from '../../../src/inference/batching/run-times.js';
import type { Executor } from '../../../src/inference/engine/executor.js';
import type { Tensor, Tensors } from '../../../src/inference/tensors/tensor.js';
import type { Encode, Row } from '../../../src/models/features/encode.js';
import { createRandom } from '../../helpers/onnx/random.js';

/** The sizes of the runs so far, and an executor that echoes X; rows with x below 0 make a run throw. */
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

test('rows of one turn share a run, in order, and a lone row has its own', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor);
  expect(await Promise.all([1, 2, 3].map((x) => ask(x)))).toEqual([1, 2, 3].map((x) => ({ x, rows: 3 })));
  expect(await ask(9)).toEqual({ x: 9, rows: 1 });
  expect(runs).toEqual([[1, 2, 3], [9]]);
});

test('a run has never more than maxBatchRows, and the rest follows in order', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor);
  await Promise.all(Array.from({ length: 10 }, (_, x) => ask(x)));
  expect(runs).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
});

test('rows that come during a run share the next one', async () => {
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

test('a run that throws is split until the row that did it stands alone', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor, { maxBatchRows: 8 });
  const codes = await Promise.all([1, 2, -3, 4, 5, 6, -7, 8].map((x) => codeOf(ask(x))));
  expect(codes).toEqual(['ok', 'ok', 'run_failed', 'ok', 'ok', 'ok', 'run_failed', 'ok']);
  expect(runs[0]).toHaveLength(8);
  expect(runs.length).toBeLessThanOrEqual(15);
});

test('what encoding throws fails its row alone', async () => {
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

test('a row whose time is over is never run, and those behind it are', async () => {
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

test('a full queue refuses at once, and takes rows again when it has room', async () => {
  const { executor } = createEcho();
  const { ask, batcher } = createBatcher(executor, { maxQueueRows: 2 });
  const codes = await Promise.all([1, 2, 3].map((x) => codeOf(ask(x))));
  expect(codes).toEqual(['ok', 'ok', 'overloaded']);
  expect(batcher.queuedRows).toBe(0);
  expect(await codeOf(ask(4))).toBe('ok');
});

test('many rows at once leave the room in the queue to requests that fit', async () => {
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

test('with maxBatchDelayMs rows of different turns share a run, and a full one does not wait', async () => {
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

test('a row that waited for a run has waited for others too', async () => {
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

test('of 20,000 rows in bursts, each gets its own answer and none is lost', async () => {
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

test('short runs follow each other in one turn of the loop, and long ones give the loop its turn', async () => {
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

test('a caller without the time that any run takes is told so, and one that cannot be in time is refused at once', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const times = new RunTimes({ rows: 1, ms: 100 }, { rows: 4, ms: 100 });
  const { ask, batcher } = createBatcher(executor, { times, timeoutMs: 250 });
  expect(await codeOf(ask(1, { timeoutMs: 50 }))).toBe('deadline_exceeded');
  const first = ask(1);
  await new Promise(setImmediate);
  // The run has some 100 ms to go, and the batch behind it takes 100 ms more.
  const second = ask(2);
  const refused = await ask(3, { timeoutMs: 150 }).catch((error) => error);
  expect(refused.code).toBe('overloaded');
  expect(refused.headers['retry-after']).toBe('1');
  const more = [3, 4, 5].map((x) => ask(x));
  // The batch is full: the next would begin too late.
  expect(await codeOf(ask(6))).toBe('overloaded');
  expect(batcher.queuedRows).toBe(4);
  gate.open();
  await Promise.all([first, second, ...more]);
  expect(runs).toEqual([[1], [2, 3, 4, 5]]);
});

test('time runs from the arrival of a request, not from when a busy thread first saw it', async () => {
  const { runs, executor } = createEcho();
  const { ask } = createBatcher(executor, { timeoutMs: 100 });
  expect(await codeOf(ask(1, { arrivedAt: performance.now() - 120 }))).toBe('overloaded');
  // Its own limit, with nothing before it: to come again would not help.
  expect(await codeOf(ask(1, { arrivedAt: performance.now() - 20, timeoutMs: 10 }))).toBe(
    'deadline_exceeded',
  );
  expect(runs).toEqual([]);
});

test('a caller that has left is not computed', async () => {
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

test('a batch has no more rows than the first of its deadlines allows', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  // 1 s for one row, 2 for two, 3 for three: a busy machine takes no half second from the deadline.
  const times = new RunTimes({ rows: 1, ms: 1_000 }, { rows: 4, ms: 4_000 });
  const { ask } = createBatcher(executor, { times, timeoutMs: 10_000 });
  const answers = [ask(1, { timeoutMs: 2_500 }), ask(2), ask(3), ask(4)];
  gate.open();
  await Promise.all(answers);
  expect(runs.map((run) => run.length)).toEqual([2, 2]);
});

test('outputs that are too large together are made apart, and one that is so alone fails alone', async () => {
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

test('an isolated run that is late answers those who wait at their own deadlines', async () => {
  const gate = createGate();
  const { executor: echo } = createEcho(() => gate.opened);
  const { ask } = createBatcher({ ...echo, kind: 'isolated' });
  const since = performance.now();
  const first = ask(1, { timeoutMs: 30 }).catch((error) => error);
  await new Promise(setImmediate);
  const second = ask(2, { timeoutMs: 60 }).catch((error) => error);
  // Its own run is too slow for it: to come again would not help. The other has only waited.
  expect(await first).toMatchObject({ code: 'deadline_exceeded', headers: {} });
  expect((await first).headers).not.toHaveProperty('retry-after');
  expect(performance.now() - since).toBeGreaterThanOrEqual(25);
  expect(await second).toMatchObject({ code: 'deadline_exceeded', headers: { 'retry-after': '1' } });
  gate.open();
  expect(await codeOf(ask(3))).toBe('ok');
});

test('a row that is expected late is not run at the cost of those behind it, and alone is', async () => {
  const { runs, executor } = createEcho();
  const times = new RunTimes({ rows: 1, ms: 1_000 });
  // It has been faster once: in time is possible, and not expected.
  times.observe({ rows: 1, ms: 1 });
  const { batcher } = createBatcher(executor, { times, maxBatchRows: 1 });
  const ask = (x: number, limitMs: number) =>
    codeOf(batcher.run({ x }, createCall({ arrivedAt: performance.now() }, limitMs)));
  expect(await Promise.all([ask(1, 400), ask(2, 5_000)])).toEqual(['deadline_exceeded', 'ok']);
  expect(await ask(3, 400)).toBe('ok');
  expect(runs).toEqual([[2], [3]]);
});

test('a row is let in only where its wait may take a quarter more than expected', async () => {
  const gate = createGate();
  const { executor } = createEcho(() => gate.opened);
  const times = new RunTimes({ rows: 1, ms: 1_000 });
  const { ask } = createBatcher(executor, { times, maxBatchRows: 1, timeoutMs: 10_000 });
  const first = ask(1);
  await new Promise(setImmediate);
  // What is left of the run under way, and its own: 2 s.
  expect(await codeOf(ask(2, { timeoutMs: 2_200 }))).toBe('overloaded');
  const second = codeOf(ask(3, { timeoutMs: 2_600 }));
  gate.open();
  await first;
  expect(await second).toBe('ok');
});

test('where runs are elsewhere, the next begins before the rows of the last are told', async () => {
  const gate = createGate();
  const { runs, executor } = createEcho(() => gate.opened);
  const { ask } = createBatcher({ ...executor, kind: 'isolated' }, { maxBatchRows: 1 });
  const runsWhenTold = ask(1).then(() => runs.length);
  await new Promise(setImmediate);
  const second = ask(2);
  gate.open();
  expect(await runsWhenTold).toBe(2);
  await second;
});
