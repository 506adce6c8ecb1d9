import { expect, test } from 'vitest';
import { isWellFormed, readCredential } from '../../src/auth/credential.js';

/** Builds headers as Node does: it keeps the first `authorization`, and joins repeated `x-api-key` values. */
function read(...lines: [string, string][]): string | undefined {
  const headers: Record<string, string> = {};
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    const before = headers[key];
    if (before === undefined) headers[key] = value;
    else if (key !== 'authorization') headers[key] = `${before}, ${value}`;
  }
  return readCredential(headers, lines.flat());
}

test.each<[string, [string, string][], string | undefined]>([
  ['no header', [], undefined],
  ['X-API-Key', [['X-API-Key', 'k']], 'k'],
  ['Bearer', [['Authorization', 'Bearer k']], 'k'],
  ['bearer in any case and with spaces', [['authorization', 'bEARER   k']], 'k'],
  ['another scheme', [['Authorization', 'Basic k']], undefined],
  [
    'another scheme beside a key',
    [
      ['Authorization', 'Basic x'],
      ['X-API-Key', 'k'],
    ],
    'k',
  ],
  [
    'both headers with one key',
    [
      ['Authorization', 'Bearer k'],
      ['X-API-Key', 'k'],
    ],
    'k',
  ],
])('reads the credential from %s', (_, lines, expected) => {
  expect(read(...lines)).toBe(expected);
});

test.each<[string, [string, string][]]>([
  [
    'both headers with different keys',
    [
      ['Authorization', 'Bearer a'],
      ['X-API-Key', 'b'],
    ],
  ],
  [
    'X-API-Key twice',
    [
      ['X-API-Key', 'k'],
      ['x-api-key', 'k'],
    ],
  ],
  [
    'Authorization twice',
    [
      ['Authorization', 'Bearer k'],
      ['AUTHORIZATION', 'Bearer k'],
    ],
  ],
  [
    'Authorization twice, with two schemes',
    [
      ['Authorization', 'Basic k'],
      ['Authorization', 'Bearer k'],
    ],
  ],
  ['an empty X-API-Key', [['X-API-Key', '']]],
  ['an empty Bearer', [['Authorization', 'Bearer  ']]],
  ['characters that no key has', [['X-API-Key', 'a b']]],
  ['control characters', [['X-API-Key', 'a\tb']]],
  ['letters beyond ASCII', [['X-API-Key', 'ä']]],
  ['a text of 257 characters', [['X-API-Key', 'k'.repeat(257)]]],
])('%s is not a well-formed key', (_, lines) => {
  expect(isWellFormed(read(...lines) ?? '')).toBe(false);
});
