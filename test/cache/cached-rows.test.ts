import { expect, test } from 'vitest';
import type { AnswerCache } from '../../src/cache/answer-cache.js';
import { CachedAnswers } from '../../src/cache/cached-answers.js';
import { createMemoryCache } from '../../src/cache/memory-cache.js';
import { RowError, ServiceError } from '../../src/errors.js';
import type { Answer, CheckedRequest } from '../../src/models/tasks/task.js';

const createLocal = () => createMemoryCache({ ttlMs: 60_000, maxEntries: 100, maxBytes: 1_048_576 });

/** A cache whose `get` is async, like one on another machine. */
function createShared(): AnswerCache & { readonly names: readonly string[] } {
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

/** Answers each row with its text, and records which rows were computed together. */
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
  ['memory', () => new CachedAnswers(createLocal())],
  ['another machine', () => new CachedAnswers(undefined, createShared())],
  ['both', () => new CachedAnswers(createLocal(), createShared())],
])(
  'the misses among several rows are computed together, and answers keep the order of rows: cache in %s',
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

test('a shared cache gets at most 100 lookups or stores of one request at a time', async () => {
  const max = { get: 0, set: 0 };
  const running = { get: 0, set: 0 };
  const shared = createShared();
  const count = async <T>(kind: 'get' | 'set', act: () => T | Promise<T>): Promise<T> => {
    running[kind] += 1;
    max[kind] = Math.max(max[kind], running[kind]);
    await new Promise(setImmediate);
    running[kind] -= 1;
    return act();
  };
  const cached = new CachedAnswers(undefined, {
    ...shared,
    get: (key) => count('get', () => shared.get(key)),
    set: (key, members) => count('set', () => shared.set(key, members)),
  });
  const { ask, computed } = createRows();
  const rows = Array.from({ length: 1_000 }, (_unused, k) => `row ${k}`);
  await ask(cached, rows);
  await expect.poll(() => shared.names.length).toBe(1_000);
  const again = await ask(cached, rows);
  expect(again.every(({ result }) => result === 'hit')).toBe(true);
  expect(again.map(({ answer }) => answer.fieldsJson)).toEqual(rows.map((row) => `"prediction":"${row}"`));
  expect(computed).toHaveLength(1);
  expect(max.get).toBeLessThanOrEqual(100);
  expect(max.set).toBeLessThanOrEqual(100);
});

test('a client that bypasses the cache gets new answers, and they are stored', async () => {
  const cached = new CachedAnswers(createLocal());
  const { ask, computed } = createRows();
  await ask(cached, ['a']);
  expect((await ask(cached, ['a', 'b'], true)).map(({ result }) => result)).toEqual(['bypass', 'bypass']);
  expect(computed).toEqual([['a'], ['a', 'b']]);
  expect((await ask(cached, ['b'])).map(({ result }) => result)).toEqual(['hit']);
});

test('a failed row is named by its index in the request, and nothing of that request is stored', async () => {
  const shared = createShared();
  const cached = new CachedAnswers(undefined, shared);
  const { ask } = createRows('c');
  await ask(cached, ['a', 'b']);
  await expect(ask(cached, ['a', 'b', 'd', 'c'])).rejects.toMatchObject({
    row: 3,
    failure: { code: 'output_not_finite' },
  });
  expect(shared.names).toEqual(['a', 'b']);
});
