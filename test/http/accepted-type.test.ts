import { expect, test } from 'vitest';
import { chooseType } from '../../src/http/accepted-type.js';

const types = ['application/json', 'application/x-ndjson', 'text/csv'] as const;

test.each([
  [undefined, 'application/json'],
  ['', 'application/json'],
  ['*/*', 'application/json'],
  ['text/csv', 'text/csv'],
  ['TEXT/CSV; header=present', 'text/csv'],
  ['text/*', 'text/csv'],
  ['text/csv, */*', 'text/csv'],
  ['text/csv, */*;q=0.1', 'text/csv'],
  ['text/csv;q=0.5, application/json', 'application/json'],
  ['text/csv, application/json', 'application/json'],
  ['application/json;q=0, */*', 'application/x-ndjson'],
  ['text/csv;q=0, text/*', 'application/json'],
  ['application/x-ndjson, text/csv;q=0.9', 'application/x-ndjson'],
  ['text/csvx', 'application/json'],
  ['image/png', 'application/json'],
  ['text/csv;q=2', 'application/json'],
  [', ;q=1, text/csv', 'text/csv'],
])('accept: %s prefers %s', (accept, type) => {
  expect(chooseType(accept, types)).toBe(type);
});

test('a long header is read in less than 10 ms', () => {
  const accept = 'a/b;q=0.1,'.repeat(1_600);
  const begun = performance.now();
  expect(chooseType(accept, types)).toBe('application/json');
  expect(performance.now() - begun).toBeLessThan(10);
});
