import { expect, test } from 'vitest';
import type { AnswerCache } from '../../src/cache/answer-cache.js';
import { CachedAnswers } from '../../src/cache/cached-answers.js';
import { createMemoryCache } from '../../src/cache/memory-cache.js';
import { RowError, ServiceError } from '../../src/errors.js';
import type { Answer, CheckedRequest } from '../../src/models/tasks/task.js';

const createNear = () => createMemoryCache({ ttlMs: 60_000, maxEntries: 100, maxBytes: 1_048_576 });

/** A cache that gives each answer later, as one on another machine does. */
function createFar(): AnswerCache & { readonly names: readonly string[] } {
  const known = new Map<string, string>();
  return {
    get: async ({ request: row }) => known.get(row),
    set: ({ request: row }, fieldsJson) => {
      known.set(row, fieldsJson);
    },
    clear: async () => 0,
    close: () => undefined,
    get names() {
      return [...known.keys()].sort();
    },
  };
}

const request = (row: string): CheckedRequest => ({
  cacheKey: () => row,
  hash: () => 1,
  answer: () => Promise.reject(new Error('not alone')),
});

/** Answers a row by its text, and notes which rows were computed together. */
function createRows(failing?: string) {
  const computed: string[][] = [];
  const answerAll = async (requests: readonly CheckedRequest[]): Promise<readonly Answer[]> => {
    const texts = requests.map((it) => it.cacheKey());
    computed.push(texts);
    const at = texts.indexOf(failing ?? '');
    if (at >= 0) throw new RowError(at, new ServiceError('output_not_finite'));
    return texts.map((text) => ({ value: { prediction: text }, fieldsJson: `"prediction":"${text}"` }));
  };
  const ask = (cached: CachedAnswers, rows: readonly string[], isBypassed = false) =>
    cached.answerAll(rows.map(request), answerAll, {
      identity: 'a'.repeat(64),
      isShortRun: false,
      isBypassed,
      isForced: false,
    });
  return { ask, computed };
}

const show = (answers: Awaited<ReturnType<CachedAnswers['answerAll']>>) =>
  answers.map(({ answer, result }) => `${result} ${answer.fieldsJson} ${JSON.stringify(answer.value)}`);

test.each([
  ['memory', () => new CachedAnswers(createNear())],
  ['far away', () => new CachedAnswers(undefined, createFar())],
  ['in both', () => new CachedAnswers(createNear(), createFar())],
])(
  'of several rows those that are not found are computed together, and stand in order: %s',
  async (_, create) => {
    const cached = create();
    const { ask, computed } = createRows();
    await ask(cached, ['b', 'd']);
    expect(show(await ask(cached, ['a', 'b', 'c', 'd']))).toEqual([
      'miss "prediction":"a" {"prediction":"a"}',
      'hit "prediction":"b" {"prediction":"b"}',
      'miss "prediction":"c" {"prediction":"c"}',
      'hit "prediction":"d" {"prediction":"d"}',
    ]);
    expect(computed).toEqual([
      ['b', 'd'],
      ['a', 'c'],
    ]);
    expect((await ask(cached, ['a', 'b', 'c', 'd'])).map(({ result }) => result)).toEqual(
      Array(4).fill('hit'),
    );
    expect(computed).toHaveLength(2);
  },
);

test('of many rows a cache elsewhere is asked for some at a time, and given some at a time', async () => {
  const most = { get: 0, set: 0 };
  const under = { get: 0, set: 0 };
  const far = createFar();
  const count = async <T>(kind: 'get' | 'set', act: () => T | Promise<T>): Promise<T> => {
    under[kind] += 1;
    most[kind] = Math.max(most[kind], under[kind]);
    await new Promise(setImmediate);
    under[kind] -= 1;
    return act();
  };
  const cached = new CachedAnswers(undefined, {
    ...far,
    get: (key) => count('get', () => far.get(key)),
    set: (key, members) => count('set', () => far.set(key, members)),
  });
  const { ask, computed } = createRows();
  const rows = Array.from({ length: 1_000 }, (_unused, k) => `row ${k}`);
  await ask(cached, rows);
  await expect.poll(() => far.names.length).toBe(1_000);
  const again = await ask(cached, rows);
  expect(again.every(({ result }) => result === 'hit')).toBe(true);
  expect(again.map(({ answer }) => answer.fieldsJson)).toEqual(rows.map((row) => `"prediction":"${row}"`));
  expect(computed).toHaveLength(1);
  expect(most.get).toBeLessThanOrEqual(100);
  expect(most.set).toBeLessThanOrEqual(100);
});

test('a client that wants new answers gets them, and they are remembered', async () => {
  const cached = new CachedAnswers(createNear());
  const { ask, computed } = createRows();
  await ask(cached, ['a']);
  expect((await ask(cached, ['a', 'b'], true)).map(({ result }) => result)).toEqual(['bypass', 'bypass']);
  expect(computed).toEqual([['a'], ['a', 'b']]);
  expect((await ask(cached, ['b'])).map(({ result }) => result)).toEqual(['hit']);
});

test('a row that fails is told by its place in the request, and nothing of it is remembered', async () => {
  const far = createFar();
  const cached = new CachedAnswers(undefined, far);
  const { ask } = createRows('c');
  await ask(cached, ['a', 'b']);
  await expect(ask(cached, ['a', 'b', 'd', 'c'])).rejects.toMatchObject({
    row: 3,
    failure: { code: 'output_not_finite' },
  });
  expect(far.names).toEqual(['a', 'b']);
});
