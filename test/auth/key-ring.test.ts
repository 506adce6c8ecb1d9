import { describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/auth/key-ring.js';
import { toApiKey } from '../../src/auth/keys-file.js';
import { entry, secretOf } from '../helpers/keys.js';

const keys = (...entries: ReturnType<typeof entry>[]) => entries.map(toApiKey);

describe('a key ring', () => {
  test('recalls a key by its text only after it was verified once', () => {
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

  test('does not accept the digest of a key as a key', () => {
    expect(new KeyRing(keys(entry('a'))).verify(entry('a').sha256)).toBe(undefined);
  });

  test('rejects a key from the moment when it expires, even if it was recalled before', () => {
    let now = Date.UTC(2026, 0, 1);
    const ring = new KeyRing(keys(entry('a', { expires: '2026-01-01T00:00:01Z' })), () => now);
    expect(ring.verify(secretOf('a'))?.id).toBe('a');
    now += 999;
    expect(ring.recall(secretOf('a'))?.id).toBe('a');
    now += 1;
    expect(ring.recall(secretOf('a'))).toBe(undefined);
    expect(ring.verify(secretOf('a'))).toBe(undefined);
  });

  test('knows only the new keys after `replace`', () => {
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
