import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AnswerCache, AnswerKey } from '../../src/cache/answer-cache.js';

/** An identity in the form of a version's. */
export function identityOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function keyOf(row: string, identity = identityOf('one')): AnswerKey {
  return { identity, request: row };
}

export interface OpenCache extends AsyncDisposable {
  readonly cache: AnswerCache;
}

/** The suite of every answer cache. `open` resolves with an empty one. */
export function describeAnswerCache(name: string, open: () => Promise<OpenCache>): void {
  describe(`${name}, as an answer cache`, () => {
    test('is empty at first', async () => {
      await using opened = await open();
      expect(await opened.cache.get(keyOf('[1]'))).toBe(undefined);
    });

    test.each([
      ['a number', '"prediction":1'],
      ['letters of all kinds', '"prediction":"å 雪 🙂 \\u0000 \\""'],
      ['nothing', ''],
      ['a text that looks like an entry', `1:${'A'.repeat(22)}:"prediction":1`],
      ['many lines', '"a":1\r\n$5\r\nhello\r\n'],
      ['60,000 bytes', `"x":"${'x'.repeat(60_000)}"`],
    ])('returns %s unchanged', async (_name, fieldsJson) => {
      await using opened = await open();
      opened.cache.set(keyOf('[1]'), fieldsJson);
      expect(await opened.cache.get(keyOf('[1]'))).toBe(fieldsJson);
    });

    test('returns the newest of two answers under one key', async () => {
      await using opened = await open();
      opened.cache.set(keyOf('[1]'), '"prediction":1');
      opened.cache.set(keyOf('[1]'), '"prediction":2');
      expect(await opened.cache.get(keyOf('[1]'))).toBe('"prediction":2');
    });

    test('never returns the answer of another row or version', async () => {
      await using opened = await open();
      const identities = [
        identityOf('one'),
        identityOf('two'),
        // Equal to the first one in its first half.
        identityOf('one').slice(0, 32) + identityOf('two').slice(32),
      ];
      const rows = [
        '',
        '[1]',
        '[1] ',
        '[10]',
        '1',
        '*',
        '[1]:',
        '[1',
        'x'.repeat(100_000),
        'x'.repeat(100_001),
        // Halves of surrogate pairs, and their replacement in UTF-8.
        '\ud800',
        '\ud801',
        '\udc00',
        '\ufffd',
        'a\ud83d',
        '\ude00a',
        '\u{1f600}a',
        // Equal bytes in one encoding, and different in another.
        '\u00e9',
        '\u00c3\u00a9',
        'ab',
        '\u6261',
      ];
      const keys = identities
        .slice(0, 2)
        .flatMap((identity) => rows.map((row) => ({ identity, request: row })));
      for (const [k, key] of keys.entries()) opened.cache.set(key, `"prediction":${k}`);
      for (const [k, key] of keys.entries()) expect(await opened.cache.get(key)).toBe(`"prediction":${k}`);
      for (const row of rows) expect(await opened.cache.get(keyOf(row, identities[2]))).toBe(undefined);
    });

    test('returns the right answer to each of many concurrent lookups', async () => {
      await using opened = await open();
      const keys = Array.from({ length: 200 }, (_, k) => keyOf(`[${k}]`));
      for (const [k, key] of keys.entries()) opened.cache.set(key, `"prediction":${k}`);
      const found = await Promise.all(keys.map((key) => opened.cache.get(key)));
      expect(found).toEqual(keys.map((_, k) => `"prediction":${k}`));
    });

    test('removes the answers of one version, and returns their number', async () => {
      await using opened = await open();
      const [one, two] = [identityOf('one'), identityOf('two')];
      for (let k = 0; k < 1_100; k += 1) {
        opened.cache.set(keyOf(`[${k}]`, one), `"prediction":${k}`);
        if (k % 50 === 0) await opened.cache.get(keyOf(`[${k}]`, one));
      }
      opened.cache.set(keyOf('[1]', two), '"prediction":2');
      expect(await opened.cache.clear(one)).toBe(1_100);
      expect(await opened.cache.get(keyOf('[1]', one))).toBe(undefined);
      expect(await opened.cache.get(keyOf('[1]', two))).toBe('"prediction":2');
      expect(await opened.cache.clear(one)).toBe(0);
    });
  });
}
