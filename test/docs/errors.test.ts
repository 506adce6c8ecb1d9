import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorCatalogue } from '../../src/errors.js';

const sections = new Map(
  readFileSync('docs/errors.md', 'utf8')
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

  test.each(Object.entries(errorCatalogue))('says the status, the title and more of %s', (code, entry) => {
    const text = sections.get(code) ?? '';
    const opening = `Status ${entry.status}. ${entry.title}. `;
    expect(text.slice(0, opening.length)).toBe(opening);
    expect(text.length).toBeGreaterThan(opening.length + 20);
  });
});
