import { describe, expect, test } from 'vitest';
import { createMemoryFeedback } from '../../../src/monitoring/feedback/memory-feedback.js';
import type { OutcomeShape } from '../../../src/monitoring/feedback/outcome-shape.js';
import { readActual } from '../../../src/monitoring/feedback/outcome-shape.js';
import { toCells, type VersionCells } from '../../../src/monitoring/feedback/quality-cells.js';
import { toFigures } from '../../../src/monitoring/feedback/quality-figures.js';
import { toQuality } from '../../../src/monitoring/feedback/quality-report.js';
import { createRedisFeedback } from '../../../src/monitoring/feedback/redis/redis-feedback.js';
import { writeSumField } from '../../../src/monitoring/feedback/redis/stored-sums.js';
import { createWindowedCells } from '../../../src/monitoring/feedback/windowed-cells.js';
import { toQualityAnswer } from '../../../src/schemas/quality.js';
import { runAtOnce, runInSlices } from '../../../src/time/slices.js';
import { predictionEvent, shapeOf } from '../../contracts/feedback-store.js';
import { createTestLink } from '../../helpers/redis-link.js';
import { openSharedRedis } from '../../helpers/shared-redis.js';

const windowSeconds = 2_400;
const slotSeconds = 100;
const classes = Array.from({ length: 64 }, (_, k) => `class ${k}`);
const shape: OutcomeShape = { kind: 'classes', classes };
const about = { model: 'm', version: '1', shape };

/** One feedback for each pair of 64 classes. */
const pairs = classes.flatMap((predicted) =>
  classes.map((value) => toCells(shape, { predicted, values: [] }, { kind: 'class', value })),
);

/** Runs some work, and returns the longest time for which it kept the event loop. */
async function measureTurns<T>(work: () => Promise<T>) {
  let longestMs = 0;
  let last = performance.now();
  const look = () => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
    timer = setImmediate(look);
  };
  let timer = setImmediate(look);
  const value = await work();
  look();
  clearImmediate(timer);
  return { value, longestMs };
}

/** Other programs also stop a turn, but not each time. */
async function measureBest<T>(times: number, work: () => Promise<T>) {
  const all = [];
  for (let k = 0; k < times; k += 1) all.push(await measureTurns(work));
  return Math.min(...all.map(({ longestMs }) => longestMs));
}

function fillWindow() {
  const slots = createWindowedCells(windowSeconds);
  for (let k = 0; k < 24; k += 1) for (const cells of pairs) slots.add(about, cells, k * slotSeconds);
  return slots;
}

describe('reading the live quality', () => {
  test('of 64 classes leaves the thread to others, after each move of the window too', async () => {
    const slots = fillWindow();
    let now = 23 * slotSeconds;
    const longestMs = await measureBest(5, async () => {
      const sums = await runInSlices(slots.sums(now, 'm'), 4);
      expect(sums[0]?.cells['n']).toBe(64 * 64 * (24 - (now / slotSeconds - 23)));
      await runInSlices(toQualityAnswer('m', windowSeconds, sums));
      now += slotSeconds;
    });
    expect(longestMs).toBeLessThan(30);
  });

  test('adds up only what is new', () => {
    const slots = fillWindow();
    const now = 23 * slotSeconds;
    const countSteps = (model?: string) => {
      const steps = slots.sums(now, model);
      let count = 0;
      while (!steps.next().done) count += 1;
      return count;
    };
    const first = countSteps();
    for (let k = 0; k < 3; k += 1) expect(countSteps()).toBeLessThan(first / 10);
    expect(countSteps('other')).toBe(0);
    expect(runAtOnce(slots.sums(now, 'other'))).toEqual([]);
  });

  test('a feedback that comes meanwhile counts in all cells or in none', () => {
    const slots = fillWindow();
    const now = 23 * slotSeconds;
    const steps = slots.sums(now);
    let step = steps.next();
    for (; !step.done; step = steps.next()) slots.add(about, pairs[7] ?? {}, now);
    const { n, ...counts } = (step.value as readonly VersionCells[])[0]?.cells ?? {};
    expect(Object.values(counts).reduce((sum, it) => sum + it, 0)).toBe(n);
    expect(n).toBe(24 * 64 * 64);
  });

  test('follows a window that moves on by any number of steps', () => {
    const slots = createWindowedCells(windowSeconds);
    const given: number[] = [];
    let now = 0;
    for (let k = 0; k < 400; k += 1) {
      now += [0, 30, 100, 0, 250, 1, 999, 0][k % 8] ?? 0;
      if (k % 97 === 96) now += 2 * windowSeconds;
      slots.add({ model: 'm', version: '1', shape: { kind: 'numbers' } }, { n: 1, abs0: k }, now);
      given.push(now);
      const first = Math.floor(now / slotSeconds) - 23;
      const own = given.flatMap((at, it) => (Math.floor(at / slotSeconds) >= first ? [it] : []));
      const [sums] = runAtOnce(slots.sums(now));
      expect(sums?.cells).toEqual({ n: own.length, abs0: own.reduce((sum, it) => sum + it, 0) });
    }
  });

  test('calls at the same time share one reading, which has the feedback before them', async () => {
    const store = createMemoryFeedback({
      windowSeconds,
      maxPredictions: 1_000,
      shapeOf,
      onDrop: () => undefined,
    });
    const give = async () => {
      const event = predictionEvent({ kind: 'numbers' }, { prediction: 3 });
      store.keep(event);
      await store.join([{ predictionId: event.predictionId, actual: 1 }], undefined);
    };
    await give();
    const early = store.sums();
    await give();
    const late = [store.sums(), store.sums(), store.sums('m'), store.sums('other')];
    const counts = await Promise.all(late.map(async (it) => (await it)?.map(({ cells }) => cells['n'])));
    expect(counts).toEqual([[2], [2], [2], []]);
    expect(late[0]).toBe(late[1]);
    expect((await early)?.length).toBe(1);
  });

  test('the figures of the metrics are those of the whole quality', () => {
    const many = Array.from({ length: 70 }, (_, k) => k);
    for (const [known, all] of [
      [classes, classes],
      [many, many],
      [undefined, classes],
      [
        ['no', 'yes'],
        ['no', 'yes'],
      ],
      [
        [true, false],
        [true, false],
      ],
    ] as const) {
      const of: OutcomeShape = { kind: 'classes', classes: known };
      const slots = createWindowedCells(windowSeconds);
      for (let k = 0; k < 500; k += 1) {
        const value = all[(k * 7) % all.length] ?? 0;
        const predicted = k % 3 === 0 ? value : (all[(k * 5) % all.length] ?? 0);
        const values = all.map((_, n) => (n + 1) / 100);
        slots.add({ ...about, shape: of }, toCells(of, { predicted, values }, { kind: 'class', value }), 0);
      }
      const [sums] = runAtOnce(slots.sums(0));
      const figures = toFigures(of, sums?.cells ?? {});
      expect(toQuality(of, sums?.cells ?? {})).toMatchObject(figures);
      expect(figures).toMatchObject({ feedback: 500, accuracy: expect.any(Number) });
    }
    expect(toFigures(shape, {})).toEqual({ feedback: 0, accuracy: null, brier_score: null });
  });

  test('a feedback is judged as fast with 100,000 classes as with few', () => {
    const many: OutcomeShape = { kind: 'classes', classes: Array.from({ length: 100_000 }, (_, k) => k) };
    const judge = () => {
      const started = performance.now();
      for (let k = 0; k < 1_000; k += 1) readActual(many, { predicted: 1, values: [] }, 99_000 + k);
      return performance.now() - started;
    };
    judge();
    expect(Math.min(judge(), judge(), judge())).toBeLessThan(10);
  });

  test('in Redis: slots that no longer change are read once, unless they were lost', async () => {
    await using redis = openSharedRedis();
    const { link, become } = createTestLink(redis.url, redis.prefix, 2_000);
    await become('up');
    const prefix = `${redis.prefix}{feedback}:`;
    const options = {
      prefix,
      windowSeconds: 86_400,
      maxPredictions: 1_000,
      shapeOf,
      onDrop: () => undefined,
      onDamage: () => undefined,
    };
    const fields = [
      ...classes.flatMap((actual) => classes.map((it) => `c${JSON.stringify([actual, it])}`)),
      'n',
    ].flatMap((cell) => [writeSumField(about, cell), cell === 'n' ? '4096' : '1']);
    const current = Math.floor(Date.now() / 1_000 / 3_600);
    await redis.client.hset(`${prefix}shapes`, 'm/1', JSON.stringify(shape));
    for (let k = 0; k < 24; k += 1) await redis.client.hset(`${prefix}q:${current - k}`, ...fields);
    await redis.client.hset(
      `${prefix}q:${current - 1}`,
      writeSumField({ model: 'o', version: '1' }, 'n'),
      '1',
    );
    let asked = 0;
    const open = () =>
      createRedisFeedback(
        {
          ask: (...args) => {
            asked += 1;
            return link.ask(...args);
          },
          recordDegraded: link.recordDegraded,
        },
        options,
      );
    const longestMs = await measureBest(3, () => open().sums());
    expect(longestMs).toBeLessThan(40);

    const store = open();
    // In the first minute of an hour two slots may change.
    const count = async () => (await store.sums('m'))?.map(({ cells }) => cells['n']);
    expect(await count()).toEqual([24 * 4_096]);
    asked = 0;
    expect(await count()).toEqual([24 * 4_096]);
    expect(asked).toBeLessThanOrEqual(4);
    expect(await store.sums('other')).toEqual([]);
    await redis.client.unlink(`${prefix}q:${current - 5}`);
    expect(await count()).toEqual([23 * 4_096]);
    await redis.client.hset(`${prefix}q:${current - 4}`, writeSumField(about, 'n'), 'text');
    await redis.client.unlink(`${prefix}q:${current - 6}`);
    expect(await count()).toEqual([21 * 4_096]);
    // A slot that was damaged is read again.
    await redis.client.hset(`${prefix}q:${current - 4}`, writeSumField(about, 'n'), '5000');
    expect(await count()).toEqual([21 * 4_096 + 5_000]);
    await link.close();
  });
});
