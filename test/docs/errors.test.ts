import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorCatalogue, retryTexts } from '../../src/errors.js';

const page = readFileSync('docs/errors.md', 'utf8');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [code = '', ...text] = section.split('\n');
      return [code, text.join(' ').trim()];
    }),
);

describe('docs/errors.md', () => {
  test('has a section for each code of the catalogue, in its order, and no other', () => {
    expect([...sections.keys()]).toEqual(Object.keys(errorCatalogue));
  });

  test('says of each code whether a retry helps', () => {
    const rows = [...page.matchAll(/^\| \[(\w+)\]\(#\1\) +\| (\d+) +\| (.*?) +\|$/gm)].map((it) =>
      it.slice(1),
    );
    const expected = Object.entries(errorCatalogue).map(([code, { status, retry }]) => [
      code,
      String(status),
      retryTexts[retry],
    ]);
    expect(rows).toEqual(expected);
  });

  test.each(Object.entries(errorCatalogue))('says the status, the title and more of %s', (code, entry) => {
    const text = sections.get(code) ?? '';
    const opening = `Status ${entry.status}. ${entry.title}. `;
    expect(text.slice(0, opening.length)).toBe(opening);
    expect(text.length).toBeGreaterThan(opening.length + 20);
  });
});
