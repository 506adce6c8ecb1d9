import { describe, expect, test } from 'vitest';
import { isPrerelease, kindOfVersion, orderVersions } from '../../../src/models/registry/version-order.js';

describe('the kind of a version', () => {
  test.each([
    ['0', 'number'],
    ['007', 'number'],
    ['9'.repeat(64), 'number'],
    ['20261101_090000', 'timestamp'],
    ['20261101_240000', 'unordered'],
    ['20261301_090000', 'unordered'],
    ['20261100_090000', 'unordered'],
    ['20261101_096000', 'unordered'],
    ['20261101-090000', 'unordered'],
    ['20261101090000', 'number'],
    ['1.0.0', 'semantic'],
    ['1.0.0-rc.1', 'semantic'],
    ['1.0.0-0a', 'semantic'],
    ['1.0.0-01', 'unordered'],
    ['01.0.0', 'unordered'],
    ['1.0.0-', 'unordered'],
    ['1.0.0-a..b', 'unordered'],
    ['1.0', 'unordered'],
    ['1.0.0.0', 'unordered'],
    ['v1', 'v-number'],
    ['v007', 'v-number'],
    [`v${'9'.repeat(63)}`, 'v-number'],
    ['V1', 'unordered'],
    ['v', 'unordered'],
    ['v1a', 'unordered'],
    ['v1.2.0', 'unordered'],
    ['vv1', 'unordered'],
    ['v1-final', 'unordered'],
    ['1e3', 'unordered'],
    ['0x10', 'unordered'],
  ])('%s is %s', (name, kind) => expect(kindOfVersion(name)).toBe(kind));
});

describe('versions of one kind get the same order from every listing', () => {
  test.each([
    [
      'whole numbers by value, however long',
      ['0', '2', '10', '100', '9007199254740993', `1${'0'.repeat(30)}`],
    ],
    ['whole numbers with zeros in front', ['1', '002', '03', '10']],
    ['v and whole numbers by value', ['v0', 'v1', 'v2', 'v10', 'v100', `v1${'0'.repeat(30)}`]],
    ['v and whole numbers with zeros in front', ['v1', 'v02', 'v003', 'v10']],
    ['timestamps', ['20251231_235959', '20260101_000000', '20261101_090000', '20261115_143000']],
    [
      'semantic versions, by the example of semver.org, item 11',
      [
        '1.0.0-alpha',
        '1.0.0-alpha.1',
        '1.0.0-alpha.beta',
        '1.0.0-beta',
        '1.0.0-beta.2',
        '1.0.0-beta.11',
        '1.0.0-rc.1',
        '1.0.0',
        '2.0.0',
        '2.1.0',
        '2.1.1',
        '2.1.10',
        '10.0.0',
      ],
    ],
    ['semantic parts beyond 2^53', ['1.0.9007199254740992', '1.0.9007199254740993']],
    ['numeric identifiers below others', ['1.0.0-2', '1.0.0-10', '1.0.0--1', '1.0.0-A', '1.0.0-a']],
  ])('%s', (_, ascending) => {
    const rotated = [...ascending.slice(2), ...ascending.slice(0, 2)];
    for (const names of [ascending, ascending.toReversed(), rotated]) {
      // Names that differ only by case have a test of their own.
      const order = orderVersions(names.filter((name) => name !== '1.0.0-a'));
      expect(order.ascending).toEqual(ascending.filter((name) => name !== '1.0.0-a'));
      expect([...order.faults]).toEqual([]);
    }
  });

  test('a name without an order has no fault, and no place in the order', () => {
    expect(orderVersions(['2', 'v1-final', '1'])).toEqual({ ascending: ['1', '2'], faults: new Map() });
    expect(orderVersions(['v1-final', 'v1'])).toEqual({ ascending: ['v1'], faults: new Map() });
  });

  test('an empty list has an empty order', () => {
    expect(orderVersions([])).toEqual({ ascending: [], faults: new Map() });
  });
});

describe('two versions without a common order are refused, and each reason names both', () => {
  test.each([
    ['equal numbers', ['1', '01', '2'], ['1', '01'], ['2']],
    ['three equal numbers', ['1', '01', '001'], ['1', '01', '001'], []],
    ['zeros alone', ['0', '00'], ['0', '00'], []],
    ['case only, semantic', ['1.0.0-RC', '1.0.0-rc', '2.0.0'], ['1.0.0-RC', '1.0.0-rc'], ['2.0.0']],
    ['case only, without order', ['final', 'Final', '3'], ['final', 'Final'], ['3']],
    ['case only, beside another kind', ['v1', 'V1', '3'], ['v1', 'V1'], ['3']],
    ['equal numbers, beside another kind', ['1', '01', '1.0.0'], ['1', '01'], ['1.0.0']],
    ['case only, one with an order', ['v1', 'V1', 'v3'], ['v1', 'V1'], ['v3']],
    ['equal numbers after v', ['v1', 'v01', 'v2'], ['v1', 'v01'], ['v2']],
    ['number with and without v', ['v1', '1'], ['v1', '1'], []],
    ['v and semantic', ['v1', '1.0.0', 'final'], ['v1', '1.0.0'], []],
    ['number and semantic', ['1', '1.0.0'], ['1', '1.0.0'], []],
    [
      'number and timestamp',
      ['20261101090000', '20261101_090000'],
      ['20261101090000', '20261101_090000'],
      [],
    ],
    ['all three kinds', ['1', '1.0.0', '20261101_090000', 'x'], ['1', '1.0.0', '20261101_090000'], []],
  ])('%s', (_, names, refused, ascending) => {
    for (const listed of [names, names.toReversed()]) {
      const order = orderVersions(listed);
      expect([...order.faults.keys()].sort()).toEqual([...refused].sort());
      expect(order.ascending).toEqual(ascending);
      for (const [name, fault] of order.faults) {
        expect(fault).toContain(name);
        expect(refused.some((other) => other !== name && fault.includes(other))).toBe(true);
      }
    }
  });

  test('10,000 versions are ordered within a second', () => {
    const names = Array.from({ length: 10_000 }, (_, k) => String((k * 7_919) % 10_000));
    const started = performance.now();
    expect(orderVersions(names).ascending.at(-1)).toBe('9999');
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

test.each([
  ['1.0.0-rc.1', true],
  ['1.0.0', false],
  ['1', false],
  ['v1-final', false],
])('%s is a prerelease: %s', (name, is) => expect(isPrerelease(name)).toBe(is));
