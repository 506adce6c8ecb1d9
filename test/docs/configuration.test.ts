import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { documents } from '../../docs/generate.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { readConfig } from '../../src/config.js';

test.each(Object.entries(documents))('%s is what `npm run docs` makes', (path, write) => {
  expect(readFileSync(path, 'utf8')).toBe(write());
});

test('every variable has a description that ends as a sentence', () => {
  for (const [name, { description }] of Object.entries(ConfigSchema.properties)) {
    expect(description, name).toMatch(/\.$/);
  }
});

test('.env.example, uncommented, is the default configuration', () => {
  const lines = readFileSync('.env.example', 'utf8').match(/^#[A-Z_]+=.*$/gm) ?? [];
  const environment = Object.fromEntries(lines.map((line) => line.slice(1).split(/=(.*)/s, 2)));
  expect(Object.keys(environment)).toEqual(Object.keys(ConfigSchema.properties));
  expect(readConfig(environment)).toEqual(readConfig({}));
});
