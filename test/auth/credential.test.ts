import { expect, test } from 'vitest';
import { isWellFormed, readCredential } from '../../src/auth/credential.js';

/** As Node shows them: of two equal names `authorization` keeps the first, `x-api-key` joins both. */
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
  ['nothing', [], undefined],
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
    'both, which agree',
    [
      ['Authorization', 'Bearer k'],
      ['X-API-Key', 'k'],
    ],
    'k',
  ],
])('%s', (_, lines, expected) => {
  expect(read(...lines)).toBe(expected);
});

test.each<[string, [string, string][]]>([
  [
    'both, which disagree',
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
    'Authorization twice, of two schemes',
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
  ['too long a text', [['X-API-Key', 'k'.repeat(257)]]],
])('%s is no key', (_, lines) => {
  expect(isWellFormed(read(...lines) ?? '')).toBe(false);
});
