import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeLicences, isAllowed, readTexts } from '../../scripts/release/licences.js';
import { readLock } from '../../scripts/release/lock.js';

const packages = readLock();

describe('the licences of the installed packages', () => {
  test('are all allowed', () => {
    expect(packages.length).toBeGreaterThan(50);
    expect(packages.filter(({ license }) => !isAllowed(license))).toEqual([]);
  });

  test('are the same as in the package.json of each package', () => {
    // npm leaves out optional packages for other machines.
    const installed = packages.filter(({ path }) => existsSync(path));
    expect(packages.length - installed.length).toBeLessThan(7);
    const own = installed.map(({ path }) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')));
    expect(installed.map(({ name, version, license }) => ({ name, version, license }))).toEqual(
      own.map(({ name, version, license }) => ({ name, version, license })),
    );
  });

  test('have a text in each package, except known ones', () => {
    const bare = packages.filter(({ path }) => readTexts(path).length === 0).map(({ name }) => name);
    // The builds for each machine: their licence is that of msgpackr-extract.
    expect(bare.filter((name) => !name.startsWith('@msgpackr-extract/'))).toEqual([
      'abstract-logging',
      'onnxruntime-common',
      'onnxruntime-node',
    ]);
  });

  test('are listed, with each text once', () => {
    const text = describeLicences(packages);
    for (const { name, version, license } of packages)
      expect(text).toContain(`\n${name} ${version}: ${license}\n`);
    const sections = text.split(`\n${'-'.repeat(80)}\n`).slice(1);
    const texts = sections.map((section) => section.slice(section.indexOf('\n\n') + 2).trim());
    expect(texts.sort()).toEqual([...new Set(packages.flatMap(({ path }) => readTexts(path)))].sort());
  });
});

test.each([
  ['MIT', true],
  ['(MIT OR CC0-1.0)', true],
  ['GPL-3.0-only OR MIT', true],
  ['GPL-3.0-only', false],
  ['MIT AND GPL-3.0-only', false],
  ['(MIT AND GPL-3.0-only)', false],
  ['AGPL-3.0', false],
  ['SSPL-1.0', false],
  ['UNLICENSED', false],
  ['SEE LICENSE IN LICENSE', false],
  ['', false],
  [undefined, false],
])('the licence %s is allowed: %s', (license, expected) => {
  expect(isAllowed(license)).toBe(expected);
});
