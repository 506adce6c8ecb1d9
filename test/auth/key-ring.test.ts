import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/auth/key-ring.js';
import { toApiKey } from '../../src/auth/keys-file.js';
import { entry, secretOf } from '../helpers/keys.js';

const keys = (...entries: ReturnType<typeof entry>[]) => entries.map(toApiKey);

describe('a key ring', () => {
  test('finds a key by its text, and by its text alone once it was found', () => {
    const ring = new KeyRing(keys(entry('a'), entry('b')));
    expect(ring.recall(secretOf('a'))).toBe(undefined);
    expect(ring.verify(secretOf('a'))?.id).toBe('a');
    expect(ring.recall(secretOf('a'))?.id).toBe('a');
  });

  test.each([
    secretOf('c'),
    `${secretOf('a')}x`,
    secretOf('a').slice(0, -1),
    secretOf('a').toUpperCase(),
    'a',
    '',
  ])('finds nothing for %j', (text) => {
    const ring = new KeyRing(keys(entry('a')));
    expect(ring.verify(text)).toBe(undefined);
    expect(ring.recall(text)).toBe(undefined);
  });

  test('does not find a key by its digest', () => {
    expect(new KeyRing(keys(entry('a'))).verify(entry('a').sha256)).toBe(undefined);
  });

  test('forgets a key at the moment when it expires, found before or not', () => {
    let now = Date.UTC(2026, 0, 1);
    const ring = new KeyRing(keys(entry('a', { expires: '2026-01-01T00:00:01Z' })), () => now);
    expect(ring.verify(secretOf('a'))?.id).toBe('a');
    now += 999;
    expect(ring.recall(secretOf('a'))?.id).toBe('a');
    now += 1;
    expect(ring.recall(secretOf('a'))).toBe(undefined);
    expect(ring.verify(secretOf('a'))).toBe(undefined);
  });

  test('has the new keys and no other from when they are replaced', () => {
    const ring = new KeyRing(keys(entry('a'), entry('b')));
    ring.verify(secretOf('a'));
    ring.verify(secretOf('b'));
    ring.replace(keys(entry('b', { scopes: ['read'] }), entry('c')));
    expect(ring.recall(secretOf('a'))).toBe(undefined);
    expect(ring.verify(secretOf('a'))).toBe(undefined);
    expect(ring.recall(secretOf('b'))).toBe(undefined);
    expect(ring.verify(secretOf('b'))?.scopes).toEqual(new Set(['read']));
    expect(ring.verify(secretOf('c'))?.id).toBe('c');
  });
});
