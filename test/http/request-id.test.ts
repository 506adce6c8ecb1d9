import { describe, expect, test } from 'vitest';
import { createRequestId } from '../../src/http/request-id.js';

const idFor = (given: string | undefined) =>
  createRequestId({ headers: given === undefined ? {} : { 'x-request-id': given } });

test('a request id is never an API key, whether Sardonyx or the operator made the key', () => {
  const key = 'sdx_abcdefghijklmnop';
  const cases = [
    { 'x-request-id': key },
    { 'x-request-id': `a-${key}` },
    { 'x-request-id': 'k', 'x-api-key': 'k' },
    { 'x-request-id': 'k', authorization: 'Bearer k' },
  ];
  for (const headers of cases) expect(createRequestId({ headers })).toMatch(/^[0-9a-f-]{36}$/);
  expect(createRequestId({ headers: { 'x-request-id': 'a', 'x-api-key': 'k' } })).toBe('a');
});

describe('a request id', () => {
  test.each(['a', 'req-1', '0af7651916cd43dd8448eb211c80319c', 'a/b=c+d@e:f', 'x'.repeat(128)])(
    "is the client's own if that is well-formed: %s",
    (given) => {
      expect(idFor(given)).toBe(given);
    },
  );

  test.each([
    '',
    ' a',
    'a b',
    'a"b',
    'a\\b',
    '-a',
    'é',
    'a\r\nb',
    '{"level":60}',
    'x'.repeat(129),
    undefined,
  ])('is a new one if the client sends %j', (given) => {
    expect(idFor(given)).toMatch(/^[0-9a-f-]{36}$/);
  });
});
