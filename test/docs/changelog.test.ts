import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const documents = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

test.each(documents)('%s holds nothing that a merge has left', (path) => {
  // The last form is what a formatter makes of such a line.
  const left = /^\s*(?:<{7} |={7}$|>{7} |(?:> ){7})/m;
  expect(readFileSync(path, 'utf8')).not.toMatch(left);
});

test('CHANGELOG.md has each kind of change once a release', () => {
  for (const release of readFileSync('CHANGELOG.md', 'utf8').split(/^## /m).slice(1)) {
    const kinds = release.match(/^### .*$/gm) ?? [];
    expect(kinds).toEqual([...new Set(kinds)]);
    expect(kinds.every((kind) => /^### (Added|Changed|Deprecated|Removed|Fixed|Security)$/.test(kind))).toBe(
      true,
    );
  }
});
