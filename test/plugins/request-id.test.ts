import { describe, expect, test } from 'vitest';
import { createRequestId } from '../../src/plugins/request-id.js';

const idFor = (given: string | undefined) =>
  createRequestId({ headers: given === undefined ? {} : { 'x-request-id': given } });

describe('a request id', () => {
  test.each(['a', 'req-1', '0af7651916cd43dd8448eb211c80319c', 'a/b=c+d@e:f', 'x'.repeat(128)])(
    'is the sane one that the client chose: %s',
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
  ])('is a new one in place of %j', (given) => {
    expect(idFor(given)).toMatch(/^[0-9a-f-]{36}$/);
  });
});
