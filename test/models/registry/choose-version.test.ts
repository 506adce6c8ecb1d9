import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.js';
import {
  chooseVersion,
  defaultVersion,
  newestVersion,
  type VersionState,
} from '../../../src/models/registry/choose-version.js';
import { orderVersions } from '../../../src/models/registry/version-order.js';
import { createFakeVersion } from '../../helpers/fake-version.js';

/** `1` is ready, `-2` is refused, `~3` is loading. */
function modelOf(versions: readonly string[], aliases: Readonly<Record<string, string>> = {}) {
  const states = new Map(
    versions.map((text): [string, VersionState] => {
      const name = text.replace(/^[-~]/, '');
      if (text.startsWith('-')) return [name, { state: 'refused', reason: 'of /home/secret' }];
      if (text.startsWith('~')) return [name, { state: 'loading' }];
      return [name, { state: 'ready', loaded: createFakeVersion('m', name).loaded }];
    }),
  );
  const latest = newestVersion(orderVersions([...states.keys()]).ascending, states);
  const [sole, ...others] = [...states].filter(([, { state }]) => state === 'ready').map(([name]) => name);
  return {
    name: 'm',
    versions: states,
    aliases: new Map(Object.entries(aliases)),
    ...(latest !== undefined && { latest }),
    ...(latest === undefined && others.length === 0 && sole !== undefined && { sole }),
  };
}

function outcomeOf(model: ReturnType<typeof modelOf>, selector?: string): string {
  try {
    return chooseVersion(model, selector).version;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    expect(error.detail).not.toContain('secret');
    return error.code;
  }
}

const unavailable = 'model_unavailable';
const notFound = 'version_not_found';

describe('which version answers', () => {
  test.each<[string, string[], Record<string, string>, string | undefined, string]>([
    ['without a selector: the newest', ['1', '2', '10'], {}, undefined, '10'],
    ['the newest that is not refused', ['1', '2', '-10'], {}, undefined, '2'],
    ['the newest that is not loading', ['1', '~2'], {}, undefined, '1'],
    ['the alias default before the newest', ['1', '2'], { default: '1' }, undefined, '1'],
    ['latest is the newest, even with another default', ['1', '2'], { default: '1' }, 'latest', '2'],
    [
      'an absent default is not replaced by another version',
      ['1', '2'],
      { default: '9' },
      undefined,
      unavailable,
    ],
    [
      'a refused default is not replaced by another version',
      ['1', '-2'],
      { default: '2' },
      undefined,
      unavailable,
    ],
    [
      'a loading default is not replaced by another version',
      ['1', '~2'],
      { default: '2' },
      undefined,
      unavailable,
    ],
    ['by name', ['1', '2'], { default: '2' }, '1', '1'],
    ['by the name default, which is an alias', ['1', '2'], { default: '1' }, 'default', '1'],
    ['the name default without such an alias', ['1', '2'], {}, 'default', notFound],
    ['by alias', ['1', '2'], { challenger: '1' }, 'challenger', '1'],
    ['an alias of an absent version', ['1'], { old: '0' }, 'old', unavailable],
    ['an alias of a refused version', ['1', '-2'], { next: '2' }, 'next', unavailable],
    ['an alias of an alias', ['1'], { a: 'b', b: '1' }, 'a', unavailable],
    ['a refused version by name', ['1', '-2'], {}, '2', unavailable],
    ['a loading version by name', ['1', '~2'], {}, '2', unavailable],
    ['an absent version', ['1'], {}, '3', notFound],
    ['a name that is equal only as a number', ['1'], {}, '01', notFound],
    ['a release before a newer prerelease', ['1.0.0', '2.0.0-rc.1'], {}, undefined, '1.0.0'],
    [
      'the newest prerelease if no release is ready',
      ['2.0.0-rc.1', '2.0.0-rc.2', '-1.0.0'],
      {},
      undefined,
      '2.0.0-rc.2',
    ],
    ['a prerelease by name', ['1.0.0', '2.0.0-rc.1'], {}, '2.0.0-rc.1', '2.0.0-rc.1'],
    ['the only version, without an order', ['v1-final'], {}, undefined, 'v1-final'],
    ['the only ready version, beside a refused one', ['final', '-final2'], {}, undefined, 'final'],
    ['the only ready version, beside a loading one', ['final', '~final2'], {}, undefined, 'final'],
    ['the only ready version, beside a refused one with an order', ['final', '-1'], {}, undefined, 'final'],
    ['two versions without an order have no default', ['final', 'final2'], {}, undefined, unavailable],
    ['the version with an order, beside one without', ['v1', 'v1-final'], {}, undefined, 'v1'],
    ['the highest number after v', ['v1', 'v2', 'v10'], {}, undefined, 'v10'],
    ['a version without an order is not latest', ['v1-final'], {}, 'latest', unavailable],
    [
      'an absent default is not replaced by the only ready version',
      ['final'],
      { default: '9' },
      undefined,
      unavailable,
    ],
    ['a version without an order, by its name', ['v1-final'], {}, 'v1-final', 'v1-final'],
    [
      'a version without an order, by the alias default',
      ['v1-final', '1'],
      { default: 'v1-final' },
      undefined,
      'v1-final',
    ],
    ['a model without versions', [], {}, undefined, unavailable],
    ['all versions refused', ['-1', '-2'], {}, undefined, unavailable],
    ['an inherited name', ['1'], {}, '__proto__', notFound],
    ['another inherited name', ['1'], {}, 'constructor', notFound],
  ])('%s', (_, versions, aliases, selector, wanted) => {
    expect(outcomeOf(modelOf(versions, aliases), selector)).toBe(wanted);
  });
});

test('the default version has a name even if it cannot answer', () => {
  expect(defaultVersion(modelOf(['1'], { default: '9' }))).toBe('9');
  expect(defaultVersion(modelOf(['-1']))).toBeUndefined();
});

test('a misspelt alias is refused with the nearest names', () => {
  try {
    chooseVersion(modelOf(['20261115_143000'], { challenger: '20261115_143000' }), 'chalenger');
    expect.unreachable();
  } catch (error) {
    expect((error as ServiceError).problems).toEqual([
      { pointer: '/version', message: 'is not there; did you mean challenger?' },
    ]);
  }
});

describe('a 503 names its remedy, and has Retry-After only if waiting helps', () => {
  test.each<[string, string[], Record<string, string>, string | undefined, string, string | undefined]>([
    [
      'two names without an order',
      ['final', 'final2'],
      {},
      undefined,
      'The versions final and final2 of m have no order among their names, so m has no default version. ' +
        'Set the default in m/aliases.json: {"default":"final2"}. ' +
        'Or request one by its name: POST /models/m/versions/final2/predict.',
      undefined,
    ],
    [
      'latest of one name without an order',
      ['final'],
      {},
      'latest',
      'The version final of m has a name without an order, so none is latest. ' +
        'Request one by its name: POST /models/m/versions/final/predict.',
      undefined,
    ],
    [
      'an absent default',
      ['1'],
      { default: '9' },
      undefined,
      'The alias default of m names 9, which is not there. Set the default in m/aliases.json: {"default":"1"}.',
      undefined,
    ],
    [
      'an absent version behind another alias',
      ['1'],
      { next: '2' },
      'next',
      'The alias next of m names 2, which is not there. Change m/aliases.json.',
      undefined,
    ],
    [
      'a default that is loading',
      ['1', '~2'],
      { default: '2' },
      undefined,
      'The alias default of m names 2, which is being loaded. Wait until it is loaded.',
      '1',
    ],
    ['a version that is loading', ['1', '~2'], {}, '2', 'The version 2 of m is being loaded.', '1'],
    [
      'a refused version',
      ['1', '-2'],
      {},
      '2',
      'The version 2 of m is refused. GET /models/m says why.',
      undefined,
    ],
    ['all refused', ['-1'], {}, undefined, 'No version of m can answer. GET /models/m says why.', undefined],
    [
      'no version',
      [],
      {},
      undefined,
      'm has no version: add one with sardonyx add MODEL.onnx --name m.',
      undefined,
    ],
  ])('%s', (_, versions, aliases, selector, words, retryAfter) => {
    try {
      chooseVersion(modelOf(versions, aliases), selector);
      expect.unreachable();
    } catch (error) {
      const { detail, headers } = error as ServiceError;
      expect([detail, headers['retry-after']]).toEqual([words, retryAfter]);
    }
  });
});
