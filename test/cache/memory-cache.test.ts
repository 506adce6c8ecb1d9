import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createMemoryCache } from '../../src/cache/memory-cache.js';
import { describeAnswerCache } from '../contracts/answer-cache.js';

const identity = 'a'.repeat(64);
const other = 'b'.repeat(64);
const limits = { ttlMs: 60_000, maxEntries: 100, maxBytes: 1_048_576 };

describeAnswerCache('memory', async () => {
  const cache = createMemoryCache({ ...limits, maxEntries: 10_000, maxBytes: 16_777_216 });
  return { cache, [Symbol.asyncDispose]: async () => cache.close() };
});

/** Memory of a full cache of 8 MB by V8's own count, in MB. */
function measureHeldMb(toEntry: (k: number) => readonly [row: string, members: string]): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const cache = createMemoryCache({ ...limits, maxEntries: 1_000_000, maxBytes: 8 * 1_048_576 });
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let k = 0; k < 10_000; k += 1) {
    const [row, members] = toEntry(k);
    // Strings of their own, like those of a parsed body and an answer.
    cache.set({ identity, request: JSON.parse(JSON.stringify(row)) }, JSON.parse(JSON.stringify(members)));
  }
  collect();
  const held = (process.memoryUsage().heapUsed - before) / 1_048_576;
  cache.close();
  return held;
}

describe('the cache in memory', () => {
  test.each([
    ['of one byte a letter', (k: number) => [`[${k}]`, 'a'.repeat(2_000)] as const],
    ['in Latin-1', (k: number) => [`[${k}]`, 'é'.repeat(2_000)] as const],
    ['of two bytes a letter', (k: number) => [`[${k}]`, '雪'.repeat(2_000)] as const],
    ['with one letter of two bytes', (k: number) => [`[${k}]`, `${'a'.repeat(2_000)}雪`] as const],
    ['with rows of two bytes a letter', (k: number) => [`${'雪'.repeat(2_000)}${k}`, '1'] as const],
    ['with half a surrogate pair', (k: number) => [`[${k}]`, `${'a'.repeat(2_000)}\ud800`] as const],
  ])('stays within its memory with answers %s', (_name, toEntry) => {
    const held = measureHeldMb(toEntry);
    expect(held).toBeGreaterThan(5);
    expect(held).toBeLessThan(9);
  });

  test('accepts a maximum of entries beyond the size of memory', () => {
    const cache = createMemoryCache({ ...limits, maxEntries: 100_000_000 });
    cache.set({ identity, request: 'x' }, 'x');
    expect(cache.get({ identity, request: 'x' })).toBe('x');
  });

  test('finds an answer only under its own version and row', () => {
    const cache = createMemoryCache(limits);
    cache.set({ identity, request: 'x' }, '"prediction":1');
    expect(cache.get({ identity, request: 'x' })).toBe('"prediction":1');
    expect(cache.get({ identity, request: 'y' })).toBeUndefined();
    expect(cache.get({ identity: other, request: 'x' })).toBeUndefined();
  });

  test('evicts the least recently used entry when there are too many', () => {
    const cache = createMemoryCache({ ...limits, maxEntries: 2 });
    for (const row of ['x', 'y']) cache.set({ identity, request: row }, row);
    cache.get({ identity, request: 'x' });
    cache.set({ identity, request: 'z' }, 'z');
    expect(['x', 'y', 'z'].map((row) => cache.get({ identity, request: row }))).toEqual([
      'x',
      undefined,
      'z',
    ]);
  });

  test('stays within its bytes, and stores no entry that would evict too many others', () => {
    const cache = createMemoryCache({ ...limits, maxEntries: 1_000_000, maxBytes: 100_000 });
    for (let k = 0; k < 1_000; k += 1) cache.set({ identity, request: String(k) }, 'm'.repeat(1_000));
    const kept = Array.from({ length: 1_000 }, (_unused, k) => cache.get({ identity, request: String(k) }));
    const count = kept.filter((it) => it !== undefined).length;
    expect(count).toBeGreaterThan(50);
    expect(count).toBeLessThan(100);
    cache.set({ identity, request: 'large' }, 'm'.repeat(20_000));
    expect(cache.get({ identity, request: 'large' })).toBeUndefined();
    expect(cache.get({ identity, request: '999' })).toBeDefined();
  });

  test('expires an entry after its lifetime', async () => {
    const cache = createMemoryCache({ ...limits, ttlMs: 1_000 });
    cache.set({ identity, request: 'x' }, 'x');
    await expect.poll(() => cache.get({ identity, request: 'x' }), { timeout: 15_000 }).toBeUndefined();
  });

  test('removes the answers of one version only', async () => {
    const cache = createMemoryCache(limits);
    for (const row of ['x', 'y']) {
      cache.set({ identity, request: row }, row);
      cache.set({ identity: other, request: row }, row);
    }
    expect(await cache.clear(identity)).toBe(2);
    expect(cache.get({ identity, request: 'x' })).toBeUndefined();
    expect(cache.get({ identity: other, request: 'x' })).toBe('x');
  });
});
