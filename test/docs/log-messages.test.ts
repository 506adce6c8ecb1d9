import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('docs/operations.md lists only messages that the code logs', () => {
  const page = readFileSync('docs/operations.md', 'utf8');
  const table = page.slice(page.indexOf('Messages to search for:')).split('\n\n')[1] as string;
  const messages = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, text]) => text as string).slice(1);
  const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('src', file), 'utf8'))
    .join('\n');
  expect(messages.length).toBeGreaterThan(5);
  expect(messages.filter((text) => !new RegExp(`['\`]${text}`).test(source))).toEqual([]);
});
